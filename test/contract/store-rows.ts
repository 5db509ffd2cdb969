/** Rows of every table for tests, with what matters to a test given by it. */
import type { FindingRow, ReadingRow, RunRow, ScalarRow } from '#store/rows.js';
import type { Store } from '#store/store.js';

export const timeMs = Date.UTC(2026, 10, 21, 12, 0, 0, 123);

export function scalar(run: string, sequence: number, value: number, rest: Partial<ScalarRow> = {}): ScalarRow {
  return { run, attempt: 1, rank: 0, sequence, index: 0, step: sequence, name: 'loss.train', value, timeMs, ...rest };
}

export function reading(run: string, step: number, value: number, rest: Partial<ReadingRow> = {}): ReadingRow {
  return {
    run,
    attempt: 1,
    step,
    name: 'sharpness',
    key: '',
    value,
    bound: 1e-3,
    products: 12,
    seconds: 0.25,
    device: 'ort-cpu',
    probeDigest: 'd1',
    source: 'analyzer',
    timeMs,
    ...rest,
  };
}

export function runRow(run: string, version: number, rest: Partial<RunRow> = {}): RunRow {
  return {
    run,
    name: 'digits "mlp"',
    project: 'p',
    framework: 'pytorch',
    attempt: 1,
    status: 'running',
    stage: 'unknown',
    stageDetail: '',
    step: version,
    plannedSteps: 100,
    createdMs: timeMs,
    seenMs: timeMs + version,
    optimizer: '{"name":"sgd"}',
    loss: '{}',
    message: '',
    batchSize: 32,
    fullBatch: false,
    tags: '{"a":"ü\\n"}',
    version,
    ...rest,
  };
}

export function finding(run: string, id: string, step: number, rest: Partial<FindingRow> = {}): FindingRow {
  return {
    run,
    id,
    attempt: 1,
    step,
    onset: step,
    kind: 'stage',
    from: 'transient',
    to: 'edge',
    detail: '',
    provisional: true,
    severity: 'info',
    evidence: '{"r":"nan"}',
    text: `step ${step}: it's the edge`,
    timeMs,
    ...rest,
  };
}

export async function ask(store: Store, sql: string): Promise<unknown[][]> {
  const parts: Uint8Array[] = [];
  const stream = await store.query({
    sql,
    format: 'JSONCompactEachRow',
    settings: { output_format_json_quote_64bit_integers: '1' },
  });
  for await (const part of stream) parts.push(part as Uint8Array);
  const text = Buffer.concat(parts).toString('utf8').trim();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as unknown[]);
}
