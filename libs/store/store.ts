import type { Readable } from 'node:stream';
import type { FindingRow, InstrumentRow, RunRow, TableName, TableRows } from './rows.js';

/** ClickHouse, embedded or a server: the same promises. */
export interface Store {
  /**
   * Resolves when the rows are in ClickHouse. Rows of many callers travel in one batch (limits by rows, bytes and
   * age); weather is retried inside; a full disk or a refused row throws a StagewatchError.
   */
  write<T extends TableName>(table: T, rows: readonly TableRows[T][]): Promise<void>;
  /** Newest first. */
  runs(filter?: RunFilter): Promise<readonly RunRow[]>;
  run(run: string): Promise<RunRow | undefined>;
  /** By step, then by time. */
  findings(run: string): Promise<readonly FindingRow[]>;
  instruments(run: string, attempt: number): Promise<readonly InstrumentRow[]>;
  /** Names, keys and sizes of everything that can be drawn for a run: logged numbers and readings. */
  seriesNames(run: string): Promise<readonly SeriesName[]>;
  /** Points of one series in step order; when there are more than `maxPoints` in the range, the extremes of each bucket are kept. */
  series(query: SeriesQuery): Promise<SeriesPoints>;
  /** A foreign, read-only query: gated, limited in time, on connections of its own. Bytes in the asked format. */
  query(request: ForeignQuery): Promise<Readable>;
  /** Removes the rows of these runs from every table and from the disk; rows that are written later stay. */
  deleteRuns(runs: readonly string[]): Promise<void>;
  /** Runs that have ended and were last seen before; nothing is removed. */
  runsSeenBefore(timeMs: number): Promise<readonly string[]>;
  /** All rows of a table, a page at a time, as lines for `importLines`. Every row is there that was written before the call. */
  exportTable(table: TableName): AsyncIterable<{ readonly rows: number; readonly lines: string }>;
  /** Writes lines of `exportTable`; rows that are there already stay one row to every reader. */
  importLines(table: TableName, lines: string): Promise<void>;
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface RunFilter {
  readonly project?: string;
  /** 1000 without it. */
  readonly limit?: number;
  /** Only those that come after this one in the order of the list. */
  readonly after?: { readonly createdMs: number; readonly run: string };
}

export interface SeriesName {
  readonly name: string;
  readonly key: string;
  readonly source: 'log' | 'analyzer' | 'probe';
  readonly points: number;
}

export interface SeriesQuery {
  readonly run: string;
  readonly name: string;
  readonly key?: string;
  /** Points of one rank only; all ranks without it. */
  readonly rank?: number;
  readonly fromStep?: number;
  readonly toStep?: number;
  /** 20 000 without it. */
  readonly maxPoints?: number;
}

export interface SeriesPoints {
  readonly name: string;
  readonly key: string;
  readonly source: 'log' | 'analyzer' | 'probe';
  readonly attempts: readonly number[];
  /** 0 for measured readings. */
  readonly ranks?: readonly number[];
  readonly steps: readonly number[];
  readonly values: readonly number[];
  /** NaN where there is none. */
  readonly bounds: readonly number[];
  readonly timesMs: readonly number[];
  /** True when points were left out. */
  readonly thinned: boolean;
}

export interface ForeignQuery {
  readonly sql: string;
  /** Used when the query names none. */
  readonly format?: string;
  /** Where unqualified tables lie: `stagewatch`, `system`, `information_schema`. */
  readonly database?: string;
  /** Values of `{name:Type}`, as text; null for NULL. */
  readonly parameters?: Readonly<Record<string, string | null>>;
  readonly settings?: Readonly<Record<string, string>>;
  readonly maxSeconds?: number;
  readonly signal?: AbortSignal;
}
