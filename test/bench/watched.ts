/**
 * What being watched costs a training on the same cores: the same job alone and watched, in turns, at three sizes of a step;
 * and what the watching came to.
 *
 *     npm run build && node dist/test/bench/watched.js [turns]
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '#runtime/package-root.js';
import { findPython } from '../support/needs.js';
import { sqlRows, startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { quantile, report, type BenchRow } from './support/report.js';

const turns = Number(process.argv[2] ?? 3);
/** From half a millisecond to tens of them a step on two cores. */
const sizes = [
  { width: 32, examples: 150, steps: 8000 },
  { width: 100, examples: 1000, steps: 1500 },
  { width: 500, examples: 1500, steps: 200 },
];

interface Job {
  readonly seconds: number;
  readonly median: number;
  readonly p99: number;
  readonly snapshots: number;
  readonly run: string | null;
}

const python = findPython('bench watched', ['torch', 'sklearn', 'grpc', 'google.protobuf']);
if (python === undefined) throw new Error('no Python here sees torch, sklearn, grpc and protobuf');

async function train(size: (typeof sizes)[number], service?: ServiceProcess): Promise<Job> {
  const { STAGEWATCH_ADDRESS: _, ...environment } = process.env;
  const env = {
    ...environment,
    PYTHONPATH: join(packageRoot, 'libs/probes/python/src'),
    ...(service !== undefined && { STAGEWATCH_ADDRESS: service.address }),
  };
  const job = join(packageRoot, 'test/bench/support/watched_job.py');
  const { stdout } = await promisify(execFile)(python!, [job, ...[size.steps, size.width, size.examples].map(String)], { env });
  return JSON.parse(stdout) as Job;
}

const rows: BenchRow[] = [];
for (const size of sizes) {
  const alone: Job[] = [];
  const watched: Job[] = [];
  let readings = 0;
  for (let turn = 0; turn < turns; turn++) {
    alone.push(await train(size));
    const dataDir = mkdtempSync(join(tmpdir(), 'stagewatch-watched-'));
    const service = await startServiceProcess({ dataDir });
    const job = await train(size, service);
    watched.push(job);
    const counted = await sqlRows<{ n: string }>(service, `SELECT count() AS n FROM readings WHERE name = 'sharpness'`);
    readings += Number(counted[0]!.n);
    await service.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
  const middle = (jobs: readonly Job[], of: (job: Job) => number): number => quantile(jobs.map(of), 0.5);
  const beside = (what: string, unit: string, asked: string, of: (job: Job) => number): BenchRow => ({
    what: `${what}, a step of ${(middle(alone, ({ median }) => median) * 1000).toFixed(2)} ms`,
    unit,
    value: middle(watched, of),
    asked,
    ceiling: { what: 'alone', value: middle(alone, of) },
  });
  rows.push(
    beside('the training', 's', '<= 1.1 x', ({ seconds }) => seconds),
    beside('median of a step', 'ms', '', ({ median }) => median * 1000),
    beside('p99 of a step', 'ms', '', ({ p99 }) => p99 * 1000),
    { what: 'snapshots taken', unit: '', value: middle(watched, ({ snapshots }) => snapshots) },
    { what: 'of them measured when the job ended', unit: '', value: readings / turns },
  );
  console.log(`width ${size.width}: done`);
}
report('watched', rows);
process.exit(0);
