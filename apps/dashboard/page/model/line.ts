import { fromJsonNumber } from '#math/json-number.js';
import type { SeriesAnswer, SeriesSource } from '#dashboard/events/http.js';
import type { SeriesDelta } from '#dashboard/events/live.js';
import { lowerBound, Points } from './points.js';
import { largest } from '#math/extremes.js';

/** More points than this are thinned here, so that a page can stay open for weeks. */
const maxPoints = 300_000;
const thinTo = 100_000;

export interface Stretch {
  readonly points: Points;
  /** Points before this index belong to the path that training went on from. */
  readonly end: number;
}

/** One line of a chart: everything known of (name, key, rank), by attempt. */
export class Line {
  private readonly attempts = new Map<number, Points>();
  /** Changes whenever something other than appending at the end happened. */
  revision = 0;
  /** Changes with every change. */
  version = 0;
  /** True when there is more in the history than is held here. */
  thinned = false;
  /** True once the history has been merged. */
  loaded = false;

  constructor(
    readonly name: string,
    readonly key: string,
    readonly rank: number,
    public source: SeriesSource,
  ) {}

  get size(): number {
    let size = 0;
    for (const points of this.attempts.values()) size += points.size;
    return size;
  }

  mergeDelta(delta: SeriesDelta): void {
    const points = this.of(delta.attempt);
    for (let i = 0; i < delta.steps.length; i++) {
      const value = fromJsonNumber(delta.values[i]) ?? Number.NaN;
      const bound = fromJsonNumber(delta.bounds?.[i]) ?? Number.NaN;
      if (points.put(delta.steps[i]!, value, bound, true) === 'changed') this.revision++;
    }
    this.version++;
    if (this.size > maxPoints) this.shrink();
  }

  /** Points of the live stream are at least as new as any history that was asked for after it began, so they stay. */
  mergeHistory(answer: Pick<SeriesAnswer, 'attempts' | 'ranks' | 'steps' | 'values' | 'bounds'>): void {
    const columns = new Map<number, { steps: number[]; values: number[]; bounds: number[] }>();
    for (let i = 0; i < answer.steps.length; i++) {
      if (answer.ranks[i] !== this.rank) continue;
      const attempt = answer.attempts[i]!;
      let column = columns.get(attempt);
      if (column === undefined) columns.set(attempt, (column = { steps: [], values: [], bounds: [] }));
      column.steps.push(answer.steps[i]!);
      column.values.push(fromJsonNumber(answer.values[i]) ?? Number.NaN);
      column.bounds.push(fromJsonNumber(answer.bounds?.[i]) ?? Number.NaN);
    }
    for (const [attempt, { steps, values, bounds }] of columns) this.of(attempt).mergeOlder(steps, values, bounds);
    this.revision++;
    this.version++;
    if (this.size > maxPoints) this.shrink();
  }

  /** Attempts in order, each with where the next one took over. */
  stretches(starts: ReadonlyMap<number, number>): Stretch[] {
    const ordered = [...this.attempts.values()].sort((a, b) => a.attempt - b.attempt);
    return ordered.map((points) => {
      let cut = Infinity;
      for (const [attempt, start] of starts) if (attempt > points.attempt) cut = Math.min(cut, start);
      return { points, end: cut === Infinity ? points.size : lowerBound(points.steps, cut) };
    });
  }

  firstSteps(): [attempt: number, step: number][] {
    return [...this.attempts.values()].filter((p) => p.size > 0).map((p) => [p.attempt, p.steps[0]!]);
  }

  lastStep(): number | undefined {
    const lasts = [...this.attempts.values()].filter((p) => p.size > 0).map((p) => p.steps.at(-1)!);
    return lasts.length === 0 ? undefined : largest(lasts);
  }

  /** The newest value on the path. */
  latest(): { readonly step: number; readonly value: number } | undefined {
    let newest: Points | undefined;
    for (const points of this.attempts.values())
      if (points.size > 0 && (newest === undefined || points.attempt > newest.attempt)) newest = points;
    return newest === undefined ? undefined : { step: newest.steps.at(-1)!, value: newest.values.at(-1)! };
  }

  private of(attempt: number): Points {
    let points = this.attempts.get(attempt);
    if (points === undefined) {
      this.attempts.set(attempt, (points = new Points(attempt)));
      this.revision++;
    }
    return points;
  }

  private shrink(): void {
    const share = thinTo / this.size;
    for (const points of this.attempts.values()) points.thin(Math.max(1, Math.floor((points.size * share) / 2)));
    this.thinned = true;
    this.revision++;
  }
}
