import type { TableName, TableRows } from '#store/rows.js';
import type { Store } from '#store/store.js';

/** What a row is known by; of rows with a version the newest stays. */
const keys: { readonly [T in TableName]: (row: TableRows[T]) => string } = {
  runs: (row) => row.run,
  scalars: (row) => [row.run, row.attempt, row.rank, row.sequence, row.index].join(),
  readings: (row) => [row.run, row.attempt, row.name, row.key, row.step].join(),
  findings: (row) => [row.run, row.id].join(),
  instruments: (row) => [row.run, row.attempt, row.instrument].join(),
};

/** Keeps rows as ClickHouse would show them, and counts what was written twice with different values. */
export class MemoryStore {
  readonly tables: { [T in TableName]: Map<string, TableRows[T]> } = {
    runs: new Map(),
    scalars: new Map(),
    readings: new Map(),
    findings: new Map(),
    instruments: new Map(),
  };
  /** Rows whose key was there with another content and no version that says which is newer. */
  readonly conflicts: string[] = [];
  /** How often runs were deleted, one or many at a time. */
  deletions = 0;
  /** Awaited before each write; throws to refuse it. */
  beforeWrite: (table: TableName) => Promise<void> = () => Promise.resolve();

  async write<T extends TableName>(table: T, rows: readonly TableRows[T][]): Promise<void> {
    await this.beforeWrite(table);
    const known: Map<string, TableRows[T]> = this.tables[table];
    for (const row of rows) {
      const key = keys[table](row);
      const before = known.get(key);
      if (before === undefined) known.set(key, row);
      else if ('version' in row && 'version' in before) {
        if (row.version >= before.version) known.set(key, row);
        if (row.version === before.version && !same(row, before)) this.conflicts.push(`${table} ${key}`);
      } else if (!same(row, before)) this.conflicts.push(`${table} ${key}`);
    }
  }

  rows<T extends TableName>(table: T): TableRows[T][] {
    return [...this.tables[table].values()];
  }

  async deleteRuns(runs: readonly string[]): Promise<void> {
    this.deletions++;
    for (const table of Object.values(this.tables)) {
      for (const [key, row] of table) if (runs.includes(row.run)) table.delete(key);
    }
    return Promise.resolve();
  }

  async runsSeenBefore(timeMs: number): Promise<readonly string[]> {
    return Promise.resolve(
      this.rows('runs')
        .filter((row) => row.seenMs < timeMs)
        .map(({ run }) => run),
    );
  }

  asStore(): Store {
    return this as unknown as Store;
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
