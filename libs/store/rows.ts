/**
 * One row type a table. Keys never change, so a row written twice is one row to every reader. Times are milliseconds
 * since the epoch; numbers may be NaN or infinite.
 */
export interface RunRow {
  readonly run: string;
  readonly name: string;
  readonly project: string;
  readonly framework: string;
  readonly attempt: number;
  readonly status: 'running' | 'finished' | 'failed' | 'interrupted' | 'lost';
  /** The job's own words at its end. */
  readonly message: string;
  readonly stage: string;
  readonly stageDetail: string;
  readonly step: number;
  readonly plannedSteps: number;
  readonly createdMs: number;
  readonly seenMs: number;
  /** JSON object. */
  readonly optimizer: string;
  /** JSON object: kind, reduction, halved. */
  readonly loss: string;
  /** 0 when it is not known. */
  readonly batchSize: number;
  readonly fullBatch: boolean;
  /** JSON object. */
  readonly tags: string;
  /** Grows with every change of the row: the newest wins. The judge uses the bus position. */
  readonly version: number;
}

/** A number as the job logged it. Key: (run, attempt, rank, sequence, index). */
export interface ScalarRow {
  readonly run: string;
  readonly attempt: number;
  readonly rank: number;
  readonly sequence: number;
  /** Place inside the record. */
  readonly index: number;
  readonly step: number;
  readonly name: string;
  readonly value: number;
  /** When the service received it. */
  readonly timeMs: number;
}

/** A measured quantity. Key: (run, attempt, name, key, step). */
export interface ReadingRow {
  readonly run: string;
  readonly attempt: number;
  readonly step: number;
  readonly name: string;
  readonly key: string;
  readonly value: number;
  readonly bound: number;
  readonly products: number;
  readonly seconds: number;
  readonly device: string;
  readonly probeDigest: string;
  readonly source: 'analyzer' | 'probe';
  readonly timeMs: number;
}

/** Key: (run, id). */
export interface FindingRow {
  readonly run: string;
  readonly id: string;
  readonly attempt: number;
  readonly step: number;
  readonly onset: number;
  readonly kind: string;
  readonly from: string;
  readonly to: string;
  readonly detail: string;
  readonly provisional: boolean;
  readonly severity: 'info' | 'warning' | 'critical';
  /** JSON object. */
  readonly evidence: string;
  readonly text: string;
  readonly timeMs: number;
}

/** Key: (run, attempt, instrument); the newest version wins. */
export interface InstrumentRow {
  readonly run: string;
  readonly attempt: number;
  readonly instrument: string;
  readonly on: boolean;
  readonly reason: string;
  readonly version: number;
}

export interface TableRows {
  runs: RunRow;
  scalars: ScalarRow;
  readings: ReadingRow;
  findings: FindingRow;
  instruments: InstrumentRow;
}
export type TableName = keyof TableRows;
export const tableNames = ['runs', 'scalars', 'readings', 'findings', 'instruments'] as const satisfies readonly TableName[];
