import { fill, h, setText } from '../dom.js';
import { formatCount, formatValue } from '../format.js';
import type { Line } from '../model/line.js';
import { lowerBound } from '../model/points.js';
import type { SeriesSpec } from './spec.js';

interface Entry {
  readonly line: Line;
  readonly spec: SeriesSpec;
  readonly colour: string;
}

/** Names and values under a chart's title: at the cursor, or the latest. */
export class Legend {
  readonly element = h('div', { class: 'legend' });
  step: number | undefined;
  private entries: readonly Entry[] = [];
  private values: readonly HTMLElement[] = [];
  private starts: ReadonlyMap<number, number> = new Map();
  private readonly place = h('span', { class: 'legend-step' });
  private shape = '';

  update(entries: readonly Entry[], starts: ReadonlyMap<number, number>): void {
    this.entries = entries;
    this.starts = starts;
    const shape = entries.map(({ line, spec, colour }) => `${spec.label}.${line.rank}.${colour}`).join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.values = entries.map(() => h('span', { class: 'legend-value' }));
      fill(
        this.element,
        entries.map((entry, i) => item(entry, this.values[i]!)),
        this.place,
      );
    }
    this.show();
  }

  cursor(step: number | undefined): void {
    if (step === this.step) return;
    this.step = step;
    this.show();
  }

  private show(): void {
    setText(this.place, this.step === undefined ? '' : `step ${formatCount(this.step)}`);
    for (const [i, { line }] of this.entries.entries()) {
      const value = this.step === undefined ? line.latest()?.value : valueAt(line, this.step, this.starts);
      const element = this.values[i]!;
      setText(element, value === undefined ? '–' : formatValue(value));
      element.classList.toggle('broken', value !== undefined && !Number.isFinite(value));
    }
  }
}

function item({ line, spec, colour }: Entry, value: HTMLElement): HTMLElement {
  const swatch = h('i', { class: spec.dashed === true ? 'swatch dashed' : 'swatch' });
  swatch.style.setProperty('--colour', colour);
  const label = line.rank === 0 ? spec.label : `${spec.label} · rank ${line.rank}`;
  return h('span', { class: 'legend-item' }, swatch, label, value);
}

/** The newest value at or before a step, on the path that training went on from. */
function valueAt(line: Line, step: number, starts: ReadonlyMap<number, number>): number | undefined {
  const stretches = line.stretches(starts);
  for (const { points, end } of stretches.toReversed()) {
    const at = Math.min(end, lowerBound(points.steps, step + 1e-9)) - 1;
    if (at >= 0) return points.values[at];
  }
  return undefined;
}
