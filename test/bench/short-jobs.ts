/**
 * Many short PyTorch jobs, some at a time, beside a process that burns a core: whether every number and every end is in
 * ClickHouse, and how long after a job's end.
 *
 *     npm run build && node dist/test/bench/short-jobs.js [jobs] [at a time] [longest, in seconds]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '#math/random.js';
import { runJob, type JobOutcome } from '../jobs/job-run.js';
import { openCorpusService, removeFolder } from '../jobs/tell.js';
import { findPython } from '../support/needs.js';
import { eventually, sqlRows } from '../support/service-process.js';
import { quantile, report } from './support/report.js';

const [count = 100, atATime = 4, longestSeconds = 60] = process.argv.slice(2).map(Number);
/** After which what is not there counts as missing. */
const patienceMs = 90_000;
/** Between updates: a job of a minute reports some ten thousand times. */
const pauseSeconds = 0.005;

interface Arrival {
  readonly outcome: JobOutcome;
  readonly rows: number;
  readonly status: string;
  readonly leftOut: number;
  /** From the job's end until all of it was there; not finite when it never was. */
  readonly seconds: number;
}

const python = findPython('bench short-jobs', ['torch', 'sklearn', 'grpc', 'google.protobuf']);
if (python === undefined) throw new Error('no Python here sees torch, sklearn, grpc and protobuf');
const service = await openCorpusService();
/** Ends with the bench, however that ends. */
const burner = spawn(process.execPath, ['-e', `while (process.ppid === ${process.pid});`], { stdio: 'ignore' });
const random = createRandom(1);
/** As many between one second and two as between thirty and sixty. */
const lengths = Array.from({ length: count }, () => longestSeconds ** random.uniform());

async function watch(index: number): Promise<Arrival> {
  const project = `short job ${index}`;
  const args = ['--batch', '32', '--pause', String(pauseSeconds), '--seconds', lengths[index]!.toFixed(2)];
  const outcome = await runJob(
    { name: project, script: 'digits.py', args: [...args, '--seed', String(index)] },
    { python: python!, address: service.address, folder: mkdtempSync(join(service.folder, 'job-')), project },
  );
  const ended = performance.now();
  const reported = outcome.reported.flat().length;
  const whole = await eventually(
    () => stateOf(project),
    ({ rows, status }) => rows >= reported && status === 'finished',
    patienceMs,
  ).then(
    () => true,
    () => false,
  );
  const seconds = whole ? (performance.now() - ended) / 1000 : Number.POSITIVE_INFINITY;
  return { outcome, ...(await stateOf(project)), seconds };
}

async function stateOf(project: string): Promise<{ readonly rows: number; readonly status: string; readonly leftOut: number }> {
  const of = `run IN (SELECT run FROM runs WHERE project = '${project}')`;
  const [row] = await sqlRows<{ rows: number; status: string; leftOut: number }>(
    service,
    `SELECT (SELECT toUInt32(count()) FROM scalars WHERE name != 'lr' AND ${of}) AS rows,
      (SELECT toUInt32(count()) FROM findings WHERE kind = 'gap' AND ${of}) AS leftOut,
      (SELECT any(toString(status)) FROM runs WHERE project = '${project}') AS status`,
  );
  return row!;
}

const began = performance.now();
const arrivals: Arrival[] = [];
let next = 0;
async function work(): Promise<void> {
  while (next < count) arrivals.push(await watch(next++));
}
await Promise.all(Array.from({ length: atATime }, work));

const missing = ({ outcome, rows }: Arrival): number => Math.max(0, outcome.reported.flat().length - rows);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const late = arrivals.map(({ seconds }) => seconds).filter(Number.isFinite);
report('short-jobs', [
  { what: 'jobs', unit: 'jobs', value: arrivals.length },
  {
    what: 'of them that ended otherwise than well',
    unit: 'jobs',
    value: arrivals.filter((one) => one.outcome.exit !== 0).length,
  },
  { what: 'numbers reported', unit: 'numbers', value: sum(arrivals.map(({ outcome }) => outcome.reported.flat().length)) },
  { what: 'numbers that are not in ClickHouse', unit: 'numbers', value: sum(arrivals.map(missing)), asked: '<= 0' },
  {
    what: 'ends that are not there',
    unit: 'runs',
    value: arrivals.filter((one) => one.status !== 'finished').length,
    asked: '<= 0',
  },
  { what: 'runs that are lost', unit: 'runs', value: arrivals.filter((one) => one.status === 'lost').length, asked: '<= 0' },
  { what: 'runs with a gap', unit: 'runs', value: arrivals.filter((one) => one.leftOut > 0).length },
  { what: 'a job’s end to all of it in ClickHouse, median', unit: 's', value: quantile(late, 0.5) },
  { what: 'the slowest', unit: 's', value: Math.max(...late) },
  { what: 'the whole', unit: 's', value: (performance.now() - began) / 1000 },
]);
burner.kill('SIGKILL');
await service.stop();
removeFolder(service.folder);
process.exit(0);
