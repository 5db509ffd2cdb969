import type { DeadLetterBody, DeadLettersAnswer } from '#dashboard/events/dead-letters.js';
import { fill, h } from '../dom.js';
import { formatAgo, formatCount } from '../format.js';
import type { Api } from '../live/api.js';
import { Polling } from '../live/polling.js';
import { table } from './table.js';

const refreshMs = 10_000;
const shown = 50;

/** What was set aside, closed until somebody looks; not there while there is nothing. */
export class DeadLettersPanel {
  readonly element = h('details', { class: 'dead-letters', hidden: true });
  private readonly head = h('summary', {});
  private readonly list = h('div', { class: 'table-wrap' });
  private readonly message = h('p', { class: 'form-message', role: 'status' });
  private readonly polling: Polling<DeadLettersAnswer>;

  constructor(private readonly api: Api) {
    fill(this.element, this.head, this.list, this.message);
    this.polling = new Polling(
      {
        load: () => api.get<DeadLettersAnswer>(`/api/dead-letters?limit=${shown}`),
        draw: (answer) => this.draw(answer),
        // The page says elsewhere that the service is away; what was shown stays until it is back.
        failed: () => undefined,
      },
      refreshMs,
    );
  }

  close(): void {
    this.polling.close();
  }

  private draw({ held, deadLetters }: DeadLettersAnswer): void {
    this.element.hidden = held === 0;
    fill(this.head, `${formatCount(held)} ${held === 1 ? 'record is' : 'records are'} set aside`);
    const rows = deadLetters.map((letter) => this.row(letter));
    fill(this.list, table(['Run', 'By', 'Why', 'When', ''], rows));
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
    await this.polling.refresh();
  }
}
