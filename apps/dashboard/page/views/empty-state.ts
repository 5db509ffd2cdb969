import { h } from '../dom.js';

/** How to attach: the three lines. */
export function emptyState(host: string): HTMLElement {
  const address = `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:7581`;
  const code = [
    'import stagewatch',
    `run = stagewatch.attach(model, optimizer, loss="cross-entropy", train=(x, y), address="${address}")`,
    'run.step(loss=loss)          # once a training step',
  ].join('\n');
  return h(
    'section',
    { class: 'empty-state' },
    h('h2', {}, 'No runs yet'),
    h('p', {}, 'Attach a training job with three lines. It appears here as soon as it speaks.'),
    h('pre', {}, h('code', {}, code)),
    h('p', { class: 'muted' }, 'Or watch one without a job of your own: ', h('code', {}, 'stagewatch demo')),
  );
}
