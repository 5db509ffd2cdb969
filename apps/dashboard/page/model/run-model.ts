import type { FindingBody, InstrumentBody, RunBody, SeriesAnswer, SeriesNameBody, SeriesSource } from '#dashboard/events/http.js';
import type { Frame, SeriesDelta } from '#dashboard/events/live.js';
import { Line } from './line.js';
import { largest, smallest } from '#math/extremes.js';

export type Change = 'run' | 'findings' | 'instruments' | 'names' | 'lines' | 'deleted';

export const seriesId = (name: string, key: string): string => `${name}\0${key}`;

/** One run as this page knows it: history and deltas come together here, merged by key, in any order. */
export class RunModel {
  run: RunBody | undefined;
  deleted = false;
  readonly names = new Map<string, SeriesNameBody>();
  /** Lowest step of each attempt. */
  readonly starts = new Map<number, number>();
  private readonly found = new Map<string, FindingBody>();
  private readonly instrumentSets = new Map<number, readonly InstrumentBody[]>();
  private readonly lines = new Map<string, Line[]>();
  private readonly listeners = new Set<(changes: ReadonlySet<Change>) => void>();
  private liveRun = false;

  onChange(listener: (changes: ReadonlySet<Change>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** As it happened: by attempt, then by step, then by time. */
  get findings(): readonly FindingBody[] {
    return [...this.found.values()].sort(
      (a, b) => a.attempt - b.attempt || a.step - b.step || a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1),
    );
  }

  /** Of the newest attempt. */
  get instruments(): readonly InstrumentBody[] {
    const newest = largest(this.instrumentSets.keys());
    return this.instrumentSets.get(newest) ?? [];
  }

  /** Lines of one series: one, or one a rank. */
  linesOf(name: string, key: string): readonly Line[] {
    return this.lines.get(seriesId(name, key)) ?? [];
  }

  get wanted(): readonly string[] {
    return [...this.lines.keys()];
  }

  /** From now on points of this series are kept; true when its history has to be fetched. */
  want(name: string, key: string): boolean {
    const id = seriesId(name, key);
    if (this.lines.has(id)) return false;
    this.lines.set(id, []);
    return true;
  }

  get steps(): { readonly first: number; readonly last: number } | undefined {
    const first = smallest(this.starts.values());
    let last = this.run?.step ?? 0;
    for (const lines of this.lines.values()) for (const line of lines) last = Math.max(last, line.lastStep() ?? 0);
    return Number.isFinite(first) ? { first, last: Math.max(first, last) } : undefined;
  }

  apply(frame: Frame): void {
    const changes = new Set<Change>();
    for (const run of frame.runs ?? []) {
      this.run = run;
      this.liveRun = true;
      changes.add('run');
    }
    for (const delta of frame.series ?? []) this.applySeries(delta, changes);
    for (const finding of frame.findings ?? []) {
      this.found.set(finding.id, finding);
      changes.add('findings');
    }
    for (const { attempt, instruments } of frame.instruments ?? []) {
      this.instrumentSets.set(attempt, instruments);
      changes.add('instruments');
    }
    if ((frame.deleted?.length ?? 0) > 0) {
      this.deleted = true;
      changes.add('deleted');
    }
    this.tell(changes);
  }

  mergeRun(run: RunBody): void {
    if (!this.liveRun) this.run = run;
    this.tell(new Set(['run']));
  }

  mergeFindings(findings: readonly FindingBody[]): void {
    for (const finding of findings) if (!this.found.has(finding.id)) this.found.set(finding.id, finding);
    this.tell(new Set(['findings']));
  }

  mergeInstruments(attempt: number, instruments: readonly InstrumentBody[]): void {
    if (!this.instrumentSets.has(attempt)) this.instrumentSets.set(attempt, instruments);
    this.tell(new Set(['instruments']));
  }

  mergeNames(names: readonly SeriesNameBody[]): void {
    for (const name of names) this.names.set(seriesId(name.name, name.key), name);
    this.tell(new Set(['names']));
  }

  /** `whole`: the answer covers all steps. */
  mergeSeries(answer: SeriesAnswer, whole: boolean): void {
    for (const rank of new Set([0, ...answer.ranks])) {
      const line = this.line(answer.name, answer.key, rank, answer.source);
      line.mergeHistory(answer);
      if (whole) {
        line.loaded = true;
        line.thinned = line.thinned || answer.thinned;
      }
      this.noteStarts(line);
    }
    this.tell(new Set(['lines']));
  }

  private applySeries(delta: SeriesDelta, changes: Set<Change>): void {
    const { name, key, rank, source } = delta;
    const id = seriesId(name, key);
    if (!this.names.has(id)) {
      this.names.set(id, { name, key, source, points: 0 });
      changes.add('names');
    }
    if (!this.lines.has(id)) return;
    const line = this.line(name, key, rank, source);
    line.mergeDelta(delta);
    this.noteStarts(line);
    changes.add('lines');
  }

  private line(name: string, key: string, rank: number, source: SeriesSource): Line {
    const id = seriesId(name, key);
    const lines = this.lines.get(id) ?? [];
    let line = lines.find((one) => one.rank === rank);
    if (line === undefined) {
      line = new Line(name, key, rank, source);
      this.lines.set(
        id,
        [...lines, line].sort((a, b) => a.rank - b.rank),
      );
    }
    return line;
  }

  private noteStarts(line: Line): void {
    for (const [attempt, step] of line.firstSteps()) this.noteStart(attempt, step);
  }

  private noteStart(attempt: number, step: number): void {
    if (step < (this.starts.get(attempt) ?? Infinity)) this.starts.set(attempt, step);
  }

  private tell(changes: ReadonlySet<Change>): void {
    if (changes.size > 0) for (const listener of this.listeners) listener(changes);
  }
}
