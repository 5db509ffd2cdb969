import type { Line } from '../model/line.js';
import { lowerBound } from '../model/points.js';

export interface Trace {
  readonly line: Line;
  readonly bounds: boolean;
}

/** `undefined`: nothing was measured here, the line goes on. `null`: the line breaks. */
type Cell = number | null | undefined;
export type Column = Cell[];

export interface BrokenPoint {
  readonly step: number;
  readonly trace: number;
  readonly value: number;
}

export interface Stray {
  readonly trace: number;
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** How far a line has been taken over. */
interface Taken {
  readonly revision: number;
  readonly counts: readonly number[];
}

/**
 * The points of several lines as columns over one axis of steps, as uPlot wants them. Points that come at the end are
 * appended in place; anything else builds the columns anew.
 */
export class Columns {
  steps: number[] = [];
  /** For each trace its values, and for those with bounds a lower and an upper column after them. */
  columns: Column[] = [];
  broken: BrokenPoint[] = [];
  /** Ends of attempts that training did not go on from. */
  strays: Stray[] = [];
  /** Points at or below zero, which a logarithmic scale cannot show. */
  hidden = 0;
  private taken: Taken[] = [];
  private signature = '';

  /** True when something changed. */
  update(traces: readonly Trace[], starts: ReadonlyMap<number, number>, logarithmic: boolean): boolean {
    const signature = `${logarithmic}|${traces.map(({ bounds }) => bounds).join()}|${[...starts].join()}`;
    const same =
      signature === this.signature &&
      this.taken.length === traces.length &&
      traces.every(({ line }, i) => line.revision === this.taken[i]!.revision);
    if (!same) {
      this.signature = signature;
      this.rebuild(traces, starts, logarithmic);
      return true;
    }
    return this.append(traces, starts, logarithmic);
  }

  private rebuild(traces: readonly Trace[], starts: ReadonlyMap<number, number>, logarithmic: boolean): void {
    this.broken = [];
    this.strays = [];
    this.hidden = 0;
    const paths = traces.map(({ line }, trace) => {
      const stretches = line.stretches(starts);
      const path = { steps: [] as number[], values: [] as number[], bounds: [] as number[] };
      for (const { points, end } of stretches) {
        for (let i = 0; i < end; i++) {
          path.steps.push(points.steps[i]!);
          path.values.push(points.values[i]!);
          path.bounds.push(points.bounds?.[i] ?? Number.NaN);
        }
        if (end < points.size) {
          const from = Math.max(0, end - 1);
          this.strays.push({ trace, steps: points.steps.slice(from), values: points.values.slice(from) });
        }
      }
      return path;
    });
    this.steps = paths.reduce<number[]>((steps, path) => union(steps, path.steps), []);
    this.columns = [];
    paths.forEach((path, trace) => {
      const column: Column = [];
      const low: Column = [];
      const high: Column = [];
      let i = 0;
      for (let row = 0; row < this.steps.length; row++) {
        if (path.steps[i] !== this.steps[row]) {
          column.push(undefined);
          low.push(undefined);
          high.push(undefined);
          continue;
        }
        const value = path.values[i]!;
        column.push(this.cell(trace, this.steps[row]!, value, logarithmic));
        const [below, above] = interval(value, path.bounds[i]!, logarithmic);
        low.push(below);
        high.push(above);
        i++;
      }
      this.columns.push(column);
      if (traces[trace]!.bounds) this.columns.push(low, high);
    });
    this.note(traces, starts);
  }

  private append(traces: readonly Trace[], starts: ReadonlyMap<number, number>, logarithmic: boolean): boolean {
    let changed = false;
    let column = 0;
    for (const [trace, { line, bounds }] of traces.entries()) {
      const { counts } = this.taken[trace]!;
      const stretches = line.stretches(starts);
      for (const [n, { points, end }] of stretches.entries()) {
        for (let i = Math.min(counts[n] ?? 0, end); i < end; i++) {
          const row = this.row(points.steps[i]!);
          if (row === undefined) {
            // Before the end, at a step that no other line has.
            this.rebuild(traces, starts, logarithmic);
            return true;
          }
          const value = points.values[i]!;
          this.columns[column]![row] = this.cell(trace, points.steps[i]!, value, logarithmic);
          if (bounds) {
            const [below, above] = interval(value, points.bounds?.[i] ?? Number.NaN, logarithmic);
            this.columns[column + 1]![row] = below;
            this.columns[column + 2]![row] = above;
          }
          changed = true;
        }
      }
      column += bounds ? 3 : 1;
    }
    if (changed) this.note(traces, starts);
    return changed;
  }

  private note(traces: readonly Trace[], starts: ReadonlyMap<number, number>): void {
    this.taken = traces.map(({ line }) => ({
      revision: line.revision,
      counts: line.stretches(starts).map(({ end }) => end),
    }));
  }

  private row(step: number): number | undefined {
    const last = this.steps.length - 1;
    if (last >= 0 && step <= this.steps[last]!) {
      const at = lowerBound(this.steps, step);
      return this.steps[at] === step ? at : undefined;
    }
    this.steps.push(step);
    for (const column of this.columns) column.push(undefined);
    return last + 1;
  }

  private cell(trace: number, step: number, value: number, logarithmic: boolean): Cell {
    if (!Number.isFinite(value)) {
      this.broken.push({ step, trace, value });
      return null;
    }
    if (logarithmic && value <= 0) {
      this.hidden++;
      return null;
    }
    return value;
  }
}

function interval(value: number, bound: number, logarithmic: boolean): [Cell, Cell] {
  if (!Number.isFinite(value) || !Number.isFinite(bound)) return [undefined, undefined];
  const low = value - bound;
  return logarithmic && low <= 0 ? [undefined, undefined] : [low, value + bound];
}

/** Both ascending, without repetition. */
function union(a: readonly number[], b: readonly number[]): number[] {
  if (a.length === 0) return [...b];
  const out: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const left = i < a.length ? a[i]! : Infinity;
    const right = j < b.length ? b[j]! : Infinity;
    out.push(Math.min(left, right));
    if (left <= right) i++;
    if (right <= left) j++;
  }
  return out;
}
