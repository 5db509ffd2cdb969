import { jsonFloat, jsonTime, jsonUnsigned } from './numbers.js';
import type { FindingRow, InstrumentRow, ReadingRow, RunRow, ScalarRow, TableName, TableRows } from './rows.js';

/** How the rows of one table are written: the columns, and a row as one line of JSONCompactEachRow. */
export interface TableFormat<Row> {
  readonly into: string;
  readonly columns: readonly string[];
  line(row: Row): string;
}

const maxUInt32 = 2 ** 32 - 1;
const words = (list: string): readonly string[] => list.split(' ');
const text = (value: string): string => JSON.stringify(value);
const bool = (value: boolean): string => (value ? 'true' : 'false');

// The same few names fill millions of rows.
const quotedNames = new Map<string, string>();
function name(value: string): string {
  let quoted = quotedNames.get(value);
  if (quoted === undefined) {
    if (quotedNames.size > 10_000) quotedNames.clear();
    quoted = JSON.stringify(value);
    quotedNames.set(value, quoted);
  }
  return quoted;
}

const runs: TableFormat<RunRow> = {
  into: 'runs_raw',
  columns: words(
    'run name project framework attempt status stage stage_detail step planned_steps ' +
      'created seen optimizer loss batch_size tags version message full_batch',
  ),
  line: (r) =>
    `[${text(r.run)},${text(r.name)},${text(r.project)},${text(r.framework)},${jsonUnsigned('attempt', r.attempt, maxUInt32)},` +
    `${text(r.status)},${text(r.stage)},${text(r.stageDetail)},${jsonUnsigned('step', r.step)},` +
    `${jsonUnsigned('plannedSteps', r.plannedSteps)},${jsonTime(r.createdMs)},${jsonTime(r.seenMs)},${text(r.optimizer)},` +
    `${text(r.loss)},${jsonUnsigned('batchSize', r.batchSize)},${text(r.tags)},${jsonUnsigned('version', r.version)},` +
    `${text(r.message)},${r.fullBatch}]`,
};

const scalars: TableFormat<ScalarRow> = {
  into: 'scalars_raw',
  columns: ['run', 'name', 'attempt', 'step', 'rank', 'sequence', 'place', 'value', 'time'],
  line: (r) =>
    `[${name(r.run)},${name(r.name)},${jsonUnsigned('attempt', r.attempt, maxUInt32)},${jsonUnsigned('step', r.step)},` +
    `${jsonUnsigned('rank', r.rank, maxUInt32)},${jsonUnsigned('sequence', r.sequence)},` +
    `${jsonUnsigned('index', r.index, maxUInt32)},${jsonFloat(r.value)},${jsonTime(r.timeMs)}]`,
};

const readings: TableFormat<ReadingRow> = {
  into: 'readings_raw',
  columns: words('run name key attempt step value bound products seconds device probe_digest source time'),
  line: (r) =>
    `[${name(r.run)},${name(r.name)},${name(r.key)},${jsonUnsigned('attempt', r.attempt, maxUInt32)},` +
    `${jsonUnsigned('step', r.step)},${jsonFloat(r.value)},${jsonFloat(r.bound)},` +
    `${jsonUnsigned('products', r.products, maxUInt32)},${jsonFloat(r.seconds)},${name(r.device)},${name(r.probeDigest)},` +
    `${name(r.source)},${jsonTime(r.timeMs)}]`,
};

const findings: TableFormat<FindingRow> = {
  into: 'findings_raw',
  columns: words('run id attempt step onset kind from_label to_label detail provisional severity evidence text time'),
  line: (r) =>
    `[${text(r.run)},${text(r.id)},${jsonUnsigned('attempt', r.attempt, maxUInt32)},${jsonUnsigned('step', r.step)},` +
    `${jsonUnsigned('onset', r.onset)},${text(r.kind)},${text(r.from)},${text(r.to)},${text(r.detail)},` +
    `${bool(r.provisional)},${text(r.severity)},${text(r.evidence)},${text(r.text)},${jsonTime(r.timeMs)}]`,
};

const instruments: TableFormat<InstrumentRow> = {
  into: 'instruments_raw',
  columns: ['run', 'attempt', 'instrument', 'enabled', 'reason', 'version'],
  line: (r) =>
    `[${text(r.run)},${jsonUnsigned('attempt', r.attempt, maxUInt32)},${text(r.instrument)},${bool(r.on)},${text(r.reason)},` +
    `${jsonUnsigned('version', r.version)}]`,
};

export const tableFormats: { readonly [T in TableName]: TableFormat<TableRows[T]> } = {
  runs,
  scalars,
  readings,
  findings,
  instruments,
};
