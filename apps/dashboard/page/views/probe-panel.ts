import { fill, h } from '../dom.js';
import type { RunModel } from '../model/run-model.js';

const probeKinds = new Set(['lost', 'resumed', 'returned', 'gap', 'stalled']);
const states = {
  running: 'The probe is sending.',
  finished: 'The job has finished.',
  failed: 'The job has failed.',
  interrupted: 'The job was interrupted.',
  lost: 'Nothing is heard from the probe.',
} as const;

/** The state of the probe, and the instruments with the reasons of those that are off. */
export class ProbePanel {
  readonly element = h('section', { class: 'panel', 'aria-labelledby': 'probe-head' });
  private drawn = '';

  update(model: RunModel): void {
    const { run, instruments, findings } = model;
    if (run === undefined) return;
    const incidents = findings.filter(({ kind }) => probeKinds.has(kind));
    const gaps = findings.filter(({ kind }) => kind === 'gap').length;
    const shape = JSON.stringify([run.status, instruments, incidents.length]);
    if (shape === this.drawn) return;
    this.drawn = shape;
    const on = instruments.filter((one) => one.on);
    const off = instruments.filter((one) => !one.on);
    fill(
      this.element,
      h('h2', { id: 'probe-head' }, 'Probe and instruments'),
      h(
        'p',
        { class: 'probe-state', 'data-status': run.status },
        h('i', { class: 'status-dot' }),
        states[run.status] ?? run.status,
      ),
      gaps > 0 &&
        h(
          'p',
          { class: 'muted' },
          `${gaps === 1 ? 'One gap was' : `${gaps} gaps were`} reported; the story says what was left out.`,
        ),
      off.length > 0 &&
        h(
          'ul',
          { class: 'instruments' },
          off.map(({ instrument, reason }) =>
            h('li', {}, h('span', { class: 'badge' }, 'off'), h('strong', {}, instrument), h('span', { class: 'muted' }, reason)),
          ),
        ),
      on.length > 0 &&
        h(
          'p',
          { class: 'instruments-on' },
          h('span', { class: 'badge on' }, 'on'),
          on.map(({ instrument }) => h('span', { class: 'instrument' }, instrument)),
        ),
      instruments.length === 0 && h('p', { class: 'muted' }, 'No instrument has reported yet.'),
    );
  }
}
