import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePorts, launchService, type LaunchedService, type Ports } from '../support/service-process.js';
import { untilMeasured } from '../support/run-picture.js';
import { untrue } from './compare.js';
import type { JobCase } from './job-case.js';
import { runJob, type JobOutcome, type JobPlace } from './job-run.js';
import { look, runsOf, type SeenRun } from './seen.js';

/** One line of the table that comes out. */
export interface Told {
  readonly name: string;
  readonly expected: string;
  readonly seen: string;
  readonly ok: boolean;
  readonly untrue: readonly string[];
  readonly seconds: number;
}

/** Silence after which a run counts as lost; shorter than it is by default, so that a killed job is told soon. */
const lostAfterMs = 20_000;
const endedWithinMs = 45_000;
const serviceEnv = { STAGEWATCH_LOST_AFTER_MS: String(lostAfterMs) };

export const startOwnService = (folder: string, ports: Ports): LaunchedService =>
  launchService({ dataDir: join(folder, 'data'), ports, env: serviceEnv });

/** A service that many jobs share, one after the other. */
export async function openCorpusService(): Promise<LaunchedService & { readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'stagewatch-jobs-'));
  const service = startOwnService(folder, await freePorts());
  await service.ready;
  return { ...service, folder };
}

/**
 * Runs a job on the PyTorch of `python`. What it answers, once the job is over, waits for the service and holds what that says
 * against the case: the next job can run meanwhile.
 */
export async function tell(
  job: JobCase,
  python: string,
  shared: LaunchedService,
  { folder, measuredWithinMs = 300_000 }: { readonly folder: string; readonly measuredWithinMs?: number },
): Promise<() => Promise<Told>> {
  const project = `${job.name} ${Math.random().toString(36).slice(2, 8)}`;
  const place = { python, address: shared.address, folder, project };
  if (job.service === undefined || job.service === 'there') {
    const outcome = await runJob(job, place);
    return () => told(job, outcome, { service: shared, project, measuredWithinMs });
  }
  const ports = await freePorts();
  const own = { ...place, address: `127.0.0.1:${ports.grpc}` };
  const { outcome, service } = await withoutService(job, own, ports);
  const line = await told(job, outcome, { service, project, measuredWithinMs });
  await service.kill();
  return () => Promise.resolve(line);
}

/** The service is away for a while. What it misses is brought by the next job on that machine at the latest. */
async function withoutService(
  job: JobCase,
  place: JobPlace,
  ports: Ports,
): Promise<{ readonly outcome: JobOutcome; readonly service: LaunchedService }> {
  const folder = join(place.folder, 'service');
  const up = async (): Promise<LaunchedService> => {
    const service = startOwnService(folder, ports);
    await service.ready;
    return service;
  };
  if (job.service === 'away at the start') {
    const running = runJob(job, place);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const service = await up();
    return { outcome: await running, service };
  }
  if (job.service === 'away at the end') {
    const first = await up();
    const running = runJob(job, place);
    await eventually(
      () => runsOf(first, place.project),
      (runs) => runs.length > 0,
      60_000,
    );
    await first.kill();
    const outcome = await running;
    return { outcome, service: await nextJob(await up(), place) };
  }
  const outcome = await runJob(job, place);
  return { outcome, service: await nextJob(await up(), place) };
}

async function nextJob(service: LaunchedService, place: JobPlace): Promise<LaunchedService> {
  const next: JobCase = { name: 'the next job', script: 'endings.py', args: ['--how', 'exit-1'], exit: 1 };
  // In the same home: what the job before left is found there.
  await runJob(next, { ...place, project: `${place.project} next` });
  return service;
}

interface Where {
  readonly service: Pick<LaunchedService, 'url'>;
  readonly project: string;
  readonly measuredWithinMs: number;
}

async function told(job: JobCase, outcome: JobOutcome, { service, project, measuredWithinMs }: Where): Promise<Told> {
  const runs = job.runs ?? [{}];
  const reported = outcome.reported.flat().length;
  const ids = await settled(
    () => runsOf(service, project),
    (found) => found.length >= runs.length,
    15_000,
  );
  const seen: SeenRun[] = [];
  for (const id of ids) {
    await settled(
      () => look(service, id),
      ({ body }) => body.status !== 'running',
      endedWithinMs,
    );
    await untilMeasured(service, id, measuredWithinMs).catch(() => undefined);
    seen.push(await look(service, id));
  }
  if (reported > 0 && seen.length > 0) {
    const enough = (found: readonly SeenRun[]): boolean => found.flatMap(({ scalars }) => scalars).length >= reported;
    const again = await settled(() => Promise.all(ids.map((id) => look(service, id))), enough, 10_000);
    seen.splice(0, seen.length, ...again);
  }
  const faults = untrue(job, outcome, seen);
  return {
    name: job.name,
    expected: runs.map(expectedText).join('; '),
    seen: faults.length > 0 ? faults.join('; ') : seen.map(seenText).join('; '),
    ok: faults.length === 0,
    untrue: faults,
    seconds: outcome.seconds,
  };
}

/** What it is once it satisfies, or when the time is over: the comparison says what is missing. */
async function settled<T>(ask: () => Promise<T>, satisfied: (value: T) => boolean, withinMs: number): Promise<T> {
  return eventually(ask, satisfied, withinMs).catch(ask);
}

const expectedText = (truth: NonNullable<JobCase['runs']>[number]): string =>
  [
    truth.status ?? 'finished',
    ...(truth.on ?? []).map((name) => `${name} on`),
    ...Object.keys(truth.off ?? {}).map((name) => `${name} off`),
    ...(truth.found ?? []).map(({ source }) => source),
    ...Object.keys(truth.compared ?? {}).map((name) => `${name} true`),
  ].join(', ');

function seenText({ body, scalars, readings }: SeenRun): string {
  return `${body.status}, ${scalars.length} numbers, ${readings.length} readings, ${body.stage}`;
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });
