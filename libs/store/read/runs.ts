import type { Reader } from '../clickhouse-client.js';
import type { RunRow } from '../rows.js';
import type { RunFilter } from '../store.js';

const columns = `run, name, project, framework, attempt, status, stage, stage_detail, step, planned_steps,
  toUnixTimestamp64Milli(created), toUnixTimestamp64Milli(seen), optimizer, loss, batch_size, tags, version, message, full_batch`;

/** Newest first. */
export async function readRuns(reader: Reader, filter: RunFilter = {}): Promise<readonly RunRow[]> {
  const { project, after } = filter;
  const conditions = [
    ...(project === undefined ? [] : ['project = {project:String}']),
    ...(after === undefined ? [] : [`(created, run) < (fromUnixTimestamp64Milli({createdMs:Int64}, 'UTC'), {run:String})`]),
  ];
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  const rows = await reader.rows(`SELECT ${columns} FROM runs ${where} ORDER BY created DESC, run DESC LIMIT {limit:UInt64}`, {
    project: project ?? '',
    createdMs: after?.createdMs ?? 0,
    run: after?.run ?? '',
    limit: filter.limit ?? 1000,
  });
  return rows.map(toRun);
}

export async function readRun(reader: Reader, run: string): Promise<RunRow | undefined> {
  const rows = await reader.rows(`SELECT ${columns} FROM runs WHERE run = {run:String}`, { run });
  return rows[0] === undefined ? undefined : toRun(rows[0]);
}

function toRun(row: readonly unknown[]): RunRow {
  const text = (i: number): string => String(row[i]);
  const number = (i: number): number => Number(row[i]);
  return {
    run: text(0),
    name: text(1),
    project: text(2),
    framework: text(3),
    attempt: number(4),
    status: text(5) as RunRow['status'],
    stage: text(6),
    stageDetail: text(7),
    step: number(8),
    plannedSteps: number(9),
    createdMs: number(10),
    seenMs: number(11),
    optimizer: text(12),
    loss: text(13),
    batchSize: number(14),
    tags: text(15),
    version: number(16),
    message: text(17),
    fullBatch: text(18) === 'true',
  };
}
