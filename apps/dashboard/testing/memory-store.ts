import { Readable } from 'node:stream';
import type { FindingRow, InstrumentRow, ReadingRow, RunRow, ScalarRow, TableName, TableRows } from '#store/rows.js';
import type { RunFilter, ForeignQuery, SeriesName, SeriesPoints, SeriesQuery, Store } from '#store/store.js';

interface Point {
  readonly attempt: number;
  readonly rank: number;
  readonly step: number;
  readonly value: number;
  readonly bound: number;
  readonly timeMs: number;
  readonly source: SeriesPoints['source'];
}

/** A store in memory. A row written twice is one row; the extremes of each bucket survive thinning. */
export class MemoryStore implements Store {
  private readonly tables = new Map<TableName, Map<string, TableRows[TableName]>>();

  write<T extends TableName>(table: T, rows: readonly TableRows[T][]): Promise<void> {
    const held = this.table(table);
    for (const row of rows) {
      const key = rowKey(table, row);
      const before = held.get(key);
      if (before !== undefined && 'version' in before && 'version' in row && before.version > row.version) continue;
      held.set(key, row);
    }
    return Promise.resolve();
  }

  runs(filter: RunFilter = {}): Promise<readonly RunRow[]> {
    const rows = this.rows('runs').filter((row) => filter.project === undefined || row.project === filter.project);
    const sorted = rows.sort((a, b) => b.createdMs - a.createdMs || (a.run < b.run ? 1 : -1));
    const from = sorted.findIndex((row) => row.run === filter.after?.run) + 1;
    return Promise.resolve(sorted.slice(from, from + (filter.limit ?? 200)));
  }

  run(run: string): Promise<RunRow | undefined> {
    return Promise.resolve(this.rows('runs').find((row) => row.run === run));
  }

  findings(run: string): Promise<readonly FindingRow[]> {
    const rows = this.rows('findings').filter((row) => row.run === run);
    return Promise.resolve(rows.sort((a, b) => a.step - b.step || a.timeMs - b.timeMs));
  }

  instruments(run: string, attempt: number): Promise<readonly InstrumentRow[]> {
    return Promise.resolve(this.rows('instruments').filter((row) => row.run === run && row.attempt === attempt));
  }

  seriesNames(run: string): Promise<readonly SeriesName[]> {
    const names = new Map<string, { name: string; key: string; source: SeriesName['source']; points: number }>();
    for (const { name, key, source } of this.points(run)) {
      const id = `${name}\0${key}`;
      const found = names.get(id) ?? { name, key, source, points: 0 };
      found.points++;
      names.set(id, found);
    }
    return Promise.resolve([...names.values()].sort((a, b) => (a.name < b.name ? -1 : 1)));
  }

  series(query: SeriesQuery): Promise<SeriesPoints> {
    const { run, name, key = '', rank, fromStep = 0, toStep = Infinity, maxPoints = 20_000 } = query;
    const all = this.points(run)
      .filter((p) => p.name === name && p.key === key && p.step >= fromStep && p.step <= toStep)
      .filter((p) => rank === undefined || p.rank === rank)
      .sort((a, b) => a.step - b.step || a.attempt - b.attempt || a.rank - b.rank);
    const kept = all.length <= maxPoints ? all : extremes(all, Math.floor(maxPoints / 2));
    return Promise.resolve({
      name,
      key,
      source: kept[0]?.source ?? 'log',
      attempts: kept.map((p) => p.attempt),
      ranks: kept.map((p) => p.rank),
      steps: kept.map((p) => p.step),
      values: kept.map((p) => p.value),
      bounds: kept.map((p) => p.bound),
      timesMs: kept.map((p) => p.timeMs),
      thinned: kept.length < all.length,
    });
  }

  query(request: ForeignQuery): Promise<Readable> {
    return Promise.resolve(Readable.from([Buffer.from(JSON.stringify({ asked: request.sql, format: request.format }))]));
  }

  deleteRuns(runs: readonly string[]): Promise<void> {
    for (const held of this.tables.values()) for (const [key, row] of held) if (runs.includes(row.run)) held.delete(key);
    return Promise.resolve();
  }

  runsSeenBefore(timeMs: number): Promise<readonly string[]> {
    return Promise.resolve(
      this.rows('runs')
        .filter((row) => row.seenMs < timeMs)
        .map((row) => row.run),
    );
  }

  async *exportTable(): AsyncGenerator<never> {
    // What is in memory is not backed up.
  }

  importLines(): Promise<void> {
    return Promise.reject(new Error('The store in memory imports nothing.'));
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private points(run: string): (Point & { readonly name: string; readonly key: string })[] {
    const logged = this.rows('scalars').map((row) => ({ ...row, key: '', bound: Number.NaN, source: 'log' as const }));
    const measured = this.rows('readings').map((row) => ({ ...row, rank: 0 }));
    return [...logged, ...measured].filter((point) => point.run === run);
  }

  private table(name: TableName): Map<string, TableRows[TableName]> {
    let held = this.tables.get(name);
    if (held === undefined) this.tables.set(name, (held = new Map()));
    return held;
  }

  private rows<T extends TableName>(name: T): TableRows[T][] {
    return [...this.table(name).values()] as TableRows[T][];
  }
}

function rowKey(table: TableName, row: TableRows[TableName]): string {
  const parts = (): readonly (string | number)[] => {
    if (table === 'scalars') {
      const { attempt, rank, sequence, index } = row as ScalarRow;
      return [attempt, rank, sequence, index];
    }
    if (table === 'readings') {
      const { attempt, name, key, step } = row as ReadingRow;
      return [attempt, name, key, step];
    }
    if (table === 'findings') return [(row as FindingRow).id];
    return table === 'instruments' ? [(row as InstrumentRow).attempt, (row as InstrumentRow).instrument] : [];
  };
  return [row.run, ...parts()].join('\0');
}

function extremes(points: readonly (Point & { name: string; key: string })[], buckets: number): typeof points {
  const size = Math.ceil(points.length / buckets);
  const kept = new Set<(typeof points)[number]>();
  for (let start = 0; start < points.length; start += size) {
    const bucket = points.slice(start, start + size);
    const sorted = [...bucket].sort((a, b) => a.value - b.value);
    kept.add(sorted[0]!);
    kept.add(sorted.at(-1)!);
  }
  return points.filter((point) => kept.has(point));
}
