import type { DeadLetterBody, DeadLettersAnswer } from '#dashboard/events/dead-letters.js';
import { fill, h } from '../dom.js';
import { formatAgo, formatCount } from '../format.js';
import type { Api } from '../live/api.js';

const refreshMs = 10_000;
const shown = 50;

/** What was set aside, closed until somebody looks; not there while there is nothing. */
export class DeadLettersPanel {
  readonly element = h('details', { class: 'dead-letters', hidden: true });
  private readonly head = h('summary', {});
  private readonly list = h('div', { class: 'table-wrap' });
  private readonly message = h('p', { class: 'form-message', role: 'status' });
  private readonly clock: ReturnType<typeof setInterval>;
  private drawn = '';

  constructor(private readonly api: Api) {
    fill(this.element, this.head, this.list, this.message);
    this.clock = setInterval(() => void this.refresh(), refreshMs);
    void this.refresh();
  }

  close(): void {
    clearInterval(this.clock);
  }

  private async refresh(): Promise<void> {
    try {
      const answer = await this.api.get<DeadLettersAnswer>(`/api/dead-letters?limit=${shown}`);
      const shape = JSON.stringify(answer);
      // Drawing anew would take the focus from a button.
      if (shape === this.drawn) return;
      this.drawn = shape;
      this.draw(answer);
    } catch {
      // The page says elsewhere that the service is away; what was shown stays until it is back.
    }
  }

  private draw({ held, deadLetters }: DeadLettersAnswer): void {
    this.element.hidden = held === 0;
    fill(this.head, `${formatCount(held)} ${held === 1 ? 'record is' : 'records are'} set aside`);
    const heads = ['Run', 'By', 'Why', 'When', ''];
    fill(
      this.list,
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            heads.map((head) => h('th', { scope: 'col' }, head)),
          ),
        ),
        h(
          'tbody',
          {},
          deadLetters.map((letter) => this.row(letter)),
        ),
      ),
    );
  }

  private row(letter: DeadLetterBody): HTMLElement {
    const button = (label: string, action: () => Promise<unknown>): HTMLElement =>
      h(
        'button',
        { type: 'button', class: 'tool', 'aria-label': `${label}: ${letter.message}`, onclick: () => void this.act(action) },
        label,
      );
    const path = `/api/dead-letters/${letter.id.split('/').map(encodeURIComponent).join('/')}`;
    return h(
      'tr',
      {},
      h('td', {}, h('a', { href: `/runs/${letter.run}` }, letter.run)),
      h('td', {}, letter.group),
      h('td', {}, letter.reason),
      h('td', {}, formatAgo(Date.now() - letter.timeMs)),
      h(
        'td',
        { class: 'actions' },
        button('Retry', () => this.api.send(`${path}/retry`, { method: 'POST' })),
        button('Drop', () => this.api.send(path, { method: 'DELETE' })),
      ),
    );
  }

  private async act(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
      fill(this.message);
    } catch (error) {
      fill(this.message, error instanceof Error ? error.message : 'That was refused.');
    }
    await this.refresh();
  }
}
