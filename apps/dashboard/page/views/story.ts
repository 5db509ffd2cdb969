import type { FindingBody } from '#dashboard/events/http.js';
import { fill, h } from '../dom.js';
import { formatCount } from '../format.js';
import type { RunModel } from '../model/run-model.js';
import { isAbandoned } from '../stages.js';

const severityNames = { info: '', warning: 'Warning', critical: 'Critical' } as const;

/** What was found, in the order in which it happened; a click shows where. */
export class Story {
  readonly element: HTMLElement;
  private readonly list = h('ol', { class: 'story' });
  private readonly items = new Map<string, HTMLElement>();
  private shown: readonly FindingBody[] = [];
  private path = '';

  constructor(private readonly choose: (finding: FindingBody) => void) {
    this.element = h(
      'section',
      { class: 'panel story-panel', 'aria-labelledby': 'story-head' },
      h('h2', { id: 'story-head' }, 'Story'),
      this.list,
    );
  }

  update(model: RunModel): void {
    const { findings, starts } = model;
    if (findings.length === 0) {
      if (this.list.childElementCount === 0) fill(this.list, h('li', { class: 'muted story-none' }, 'Nothing found yet.'));
      return;
    }
    const path = [...starts].join();
    const same =
      path === this.path && findings.length === this.shown.length && findings.every((finding, i) => finding === this.shown[i]);
    if (same) return;
    this.shown = findings;
    this.path = path;
    const atEnd = this.list.scrollTop + this.list.clientHeight >= this.list.scrollHeight - 24;
    this.items.clear();
    fill(
      this.list,
      findings.map((finding) => {
        const item = this.item(finding, isAbandoned(finding, starts));
        this.items.set(finding.id, item);
        return item;
      }),
    );
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }

  mark(id: string | undefined): void {
    for (const [key, item] of this.items) {
      item.classList.toggle('chosen', key === id);
      if (key === id) item.scrollIntoView({ block: 'nearest' });
    }
  }

  /** The neighbour of the chosen finding; the first or last when none is chosen. */
  neighbour(id: string | undefined, by: 1 | -1): FindingBody | undefined {
    const at = this.shown.findIndex((finding) => finding.id === id);
    return at < 0 ? this.shown.at(by > 0 ? 0 : -1) : this.shown[at + by];
  }

  private item(finding: FindingBody, abandoned: boolean): HTMLElement {
    const severity = severityNames[finding.severity];
    return h(
      'li',
      { class: abandoned ? 'abandoned' : undefined },
      h(
        'button',
        {
          type: 'button',
          class: 'finding',
          'data-severity': finding.severity,
          'data-stage': finding.kind === 'stage' ? finding.to : undefined,
          onclick: () => this.choose(finding),
        },
        h('span', { class: 'finding-step number' }, formatCount(finding.step)),
        h('i', { class: finding.kind === 'stage' ? 'dot' : 'tick' }),
        h(
          'span',
          { class: 'finding-text' },
          sentence(finding),
          finding.onset < finding.step && h('span', { class: 'finding-more' }, `began at step ${formatCount(finding.onset)}`),
          severity !== '' && h('span', { class: 'badge', 'data-severity': finding.severity }, severity),
          finding.provisional && h('span', { class: 'badge' }, 'provisional'),
          abandoned && h('span', { class: 'finding-more' }, `attempt ${finding.attempt}, later taken up earlier`),
        ),
      ),
    );
  }
}

/** The step stands beside the sentence already. */
function sentence({ text, step }: FindingBody): string {
  const rest = text.startsWith(`step ${step}: `) ? text.slice(`step ${step}: `.length) : text;
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}
