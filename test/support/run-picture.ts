import type { RunBody } from '#bus/messages.js';
import { eventually, sqlRows, type ServiceProcess } from './service-process.js';

/** Everything that ClickHouse says of a run that does not depend on when it ran or how it is called. */
export interface RunPicture {
  readonly status: string;
  readonly step: number;
  /** Logged numbers: how many rows readers see, and how many distinct identities they have. */
  readonly rows: number;
  readonly identities: number;
  /** Rows of what the job itself logs, without what its probe sees at snapshots. */
  readonly logged: number;
  /** Value by `name step`; NaN and infinities spelled out. */
  readonly scalars: ReadonlyMap<string, string>;
  /** Kind, from, to, step, onset and more of each finding, in the order of the log. */
  readonly findings: readonly string[];
  /** What was measured: value and bound by `name key step`. */
  readonly readings: ReadonlyMap<string, { readonly value: number; readonly bound: number }>;
  readonly instruments: readonly string[];
}

/**
 * Waits until the judge has told the end of the run, all is measured, and the ledger, which nobody waits for, has written as many logged
 * numbers as are expected; then looks. What the probe sees comes before the job's own numbers of the same step.
 */
export async function runPicture(
  service: Pick<ServiceProcess, 'url'>,
  run: string,
  expectedLogged: number,
  timeoutMs = 120_000,
): Promise<RunPicture> {
  const where = `WHERE run = '${run}'`;
  const rows = <T>(sql: string): Promise<T[]> => sqlRows<T>(service, sql);
  const [head] = await eventually(
    () => rows<{ status: string; step: number }>(`SELECT status, toUInt32(step) AS step FROM runs ${where}`),
    ([row]) => row !== undefined && row.status !== 'running',
    timeoutMs,
  );
  await untilMeasured(service, run, timeoutMs);
  const counted = await eventually(
    () =>
      rows<{ rows: number; identities: number; logged: number }>(
        `SELECT toUInt32(count()) AS rows, toUInt32(uniqExact((attempt, rank, sequence, place))) AS identities,
          toUInt32(countIf(name NOT IN ('batch_size', 'gradient.clip'))) AS logged FROM scalars ${where}`,
      ),
    ([row]) => row !== undefined && row.logged >= expectedLogged,
    timeoutMs,
  );
  const scalars = await rows<{ at: string; value: string }>(
    `SELECT concat(name, ' ', toString(step)) AS at, toString(value) AS value FROM scalars ${where} ORDER BY sequence, place`,
  );
  const findings = await rows<{ finding: string }>(
    `SELECT concat(kind, ' ', from_label, '>', to_label, ' at ', toString(step), ' since ', toString(onset), ' ', detail, ' ',
      severity, ' ', toString(provisional)) AS finding FROM findings ${where} ORDER BY attempt, step, time, id`,
  );
  const readings = await rows<{ at: string; value: string; bound: string }>(
    `SELECT concat(name, ' ', key, ' ', toString(step)) AS at, toString(value) AS value, toString(bound) AS bound
      FROM readings ${where} ORDER BY step, name, key`,
  );
  const instruments = await rows<{ instrument: string }>(
    `SELECT concat(instrument, ' ', toString(enabled), ' ', reason) AS instrument FROM instruments ${where} ORDER BY instrument`,
  );
  return {
    ...head!,
    ...counted[0]!,
    scalars: new Map(scalars.map(({ at, value }) => [at, value])),
    findings: findings.map(({ finding }) => finding),
    readings: new Map(readings.map(({ at, value, bound }) => [at, { value: Number(value), bound: Number(bound) }])),
    instruments: instruments.map(({ instrument }) => instrument),
  };
}

/** Until nothing of the run is measured and nothing waits for that. */
export async function untilMeasured(service: Pick<ServiceProcess, 'url'>, run: string, timeoutMs = 120_000): Promise<void> {
  await eventually(
    () => runBody(service, run),
    ({ measuring: { underWay, waiting } }) => underWay === null && waiting === 0,
    timeoutMs,
  );
}

export async function runBody(service: Pick<ServiceProcess, 'url'>, run: string): Promise<RunBody> {
  const response = await fetch(`${service.url}/api/runs/${run}`);
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return ((await response.json()) as { readonly run: RunBody }).run;
}

/** The largest relative difference of a measured value, and where; readings of the same steps are asked for. */
export function furthestReading(one: RunPicture, other: RunPicture): { readonly at: string; readonly difference: number } {
  let furthest = { at: '', difference: 0 };
  for (const [at, { value }] of one.readings) {
    const also = other.readings.get(at)?.value ?? Number.NaN;
    const same = Object.is(value, also) || value === also;
    const difference = same ? 0 : Math.abs(value - also) / Math.max(Math.abs(value), Math.abs(also));
    if (!(difference <= furthest.difference)) furthest = { at, difference };
  }
  return furthest;
}
