import type { RunBody } from '#bus/messages.js';
import { runBody } from '../support/run-picture.js';
import { sqlRows, type ServiceProcess } from '../support/service-process.js';

type Asked = Pick<ServiceProcess, 'url'>;

export interface Point {
  readonly name: string;
  readonly step: number;
  readonly value: number;
  readonly bound: number;
}

/** Everything that the service says of a run. */
export interface SeenRun {
  readonly body: RunBody;
  /** As the job logged them, the learning rate apart, which the probe reads by itself. */
  readonly scalars: readonly Point[];
  readonly readings: readonly Point[];
  /** Each as `kind to-label detail | text`. */
  readonly findings: readonly string[];
  readonly instruments: ReadonlyMap<string, { readonly on: boolean; readonly reason: string }>;
}

export async function runsOf(service: Asked, project: string): Promise<readonly string[]> {
  const rows = await sqlRows<{ run: string }>(service, `SELECT run FROM runs WHERE project = '${project}' ORDER BY created, run`);
  return rows.map(({ run }) => run);
}

export async function look(service: Asked, run: string): Promise<SeenRun> {
  const where = `WHERE run = '${run}'`;
  const points = async (table: string, bound: string, condition: string): Promise<readonly Point[]> => {
    const sql = `SELECT name, toUInt32(step) AS step, toString(value) AS value, toString(${bound}) AS bound FROM ${table}
      ${where} AND ${condition} ORDER BY attempt, step`;
    const rows = await sqlRows<{ name: string; step: number; value: string; bound: string }>(service, sql);
    return rows.map(({ value, bound: margin, ...rest }) => ({ ...rest, value: numberOf(value), bound: numberOf(margin) }));
  };
  const findings = await sqlRows<{ finding: string }>(
    service,
    `SELECT concat(kind, ' ', to_label, ' ', detail, ' | ', text) AS finding FROM findings ${where} ORDER BY attempt, step, time`,
  );
  const instruments = await sqlRows<{ instrument: string; enabled: boolean; reason: string }>(
    service,
    `SELECT instrument, enabled, reason FROM instruments ${where} ORDER BY attempt`,
  );
  return {
    body: await runBody(service, run),
    scalars: await points('scalars', 'nan', `name != 'lr'`),
    readings: await points('readings', 'bound', '1'),
    findings: findings.map(({ finding }) => finding),
    instruments: new Map(instruments.map(({ instrument, enabled, reason }) => [instrument, { on: enabled, reason }])),
  };
}

const numberOf = (text: string): number => Number(text.replace('inf', 'Infinity'));
