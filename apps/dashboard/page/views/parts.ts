import type { RunBody } from '#dashboard/events/http.js';
import { h } from '../dom.js';
import { stageName } from '../stages.js';

/** The stage as a chip: a dot in the colour of its bands, and its name in plain text. */
export function stageChip(stage: string, detail = ''): HTMLElement {
  return h(
    'span',
    { class: 'chip', 'data-stage': stage },
    h('i', { class: 'dot' }),
    stageName(stage),
    detail !== '' && h('span', { class: 'chip-detail' }, detail.replaceAll('_', ' ')),
  );
}

const statusNames: Readonly<Record<RunBody['status'], string>> = {
  running: 'running',
  finished: 'finished',
  failed: 'failed',
  interrupted: 'interrupted',
  lost: 'lost',
};

export function statusBadge(status: RunBody['status']): HTMLElement {
  return h('span', { class: 'status', 'data-status': status }, h('i', { class: 'status-dot' }), statusNames[status] ?? status);
}

/** `measuring, 3 waiting`; undefined when nothing is measured and nothing waits. */
export function measuringNote({ underWay, waiting }: RunBody['measuring']): HTMLElement | undefined {
  if (underWay === null && waiting === 0) return undefined;
  const title = underWay === null ? 'Snapshots wait for their turn' : `The snapshot of step ${underWay} is being measured`;
  const text = waiting === 0 ? 'measuring' : `measuring, ${waiting} waiting`;
  return h('span', { class: 'muted measuring', title: `${title}; the stage follows.` }, text);
}
