/**
 * From the moment a number is handed to the wire until a query sees it, at 1000 points a second, beside a run whose
 * snapshots are measured; and the time to start, memory and CPU of a service that has nothing to do.
 *
 *     npm run build && node dist/test/bench/freshness.js [seconds]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';
import { sqlRows, startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { attachBenchRun, scalarRecord } from './support/load.js';
import { quantile, report, type BenchRow } from './support/report.js';

const seconds = Number(process.argv[2] ?? 30);
const recordsPerSecond = 50;
const pointsPerRecord = 20;
const stepsPerRecord = pointsPerRecord / 5;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function freshness(service: ServiceProcess): Promise<readonly number[]> {
  const run = await attachBenchRun(service.address, 'freshness');
  const total = seconds * recordsPerSecond;
  const sentMs: number[] = [];
  const delays: number[] = [];
  const stream = run.client.streamRecords();
  stream.on('data', () => undefined);
  let isOver = false;
  // The service, as it stops, ends streams that linger.
  stream.on('error', (error) => isOver || console.error(error));
  stream.write({ hello: { runId: run.attached.runId, attempt: run.attached.attempt, rank: 0, instanceId: run.instance } });
  const sending = (async () => {
    const started = performance.now();
    for (let i = 1; i <= total; i++) {
      await sleep(Math.max(0, started + (i * 1000) / recordsPerSecond - performance.now()));
      sentMs[i] = performance.now();
      stream.write({ serialized: [scalarRecord(i, i * stepsPerRecord, pointsPerRecord)] });
    }
  })();
  let seen = 0;
  while (seen < total) {
    const [row] = await sqlRows<{ s: string }>(
      service,
      `SELECT max(sequence) AS s FROM scalars WHERE run = '${run.attached.runId}'`,
    );
    const now = performance.now();
    while (seen < Number(row!.s)) delays.push((now - sentMs[++seen]!) / 1000);
    await sleep(20);
  }
  await sending;
  isOver = true;
  stream.end();
  run.client.close();
  return delays;
}

/** Of the service with all processes that it started. A page that several processes have is divided among them. */
function idle(pid: number): { readonly cpuSeconds: number; readonly mib: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const mib = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]) / 1024;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((child) => child !== '');
  return children
    .map((child) => idle(Number(child)))
    .reduce((sum, child) => ({ cpuSeconds: sum.cpuSeconds + child.cpuSeconds, mib: sum.mib + child.mib }), {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
      mib,
    });
}

/** What the training beside it left to be measured is not idleness. */
async function nothingMeasured({ url }: ServiceProcess): Promise<void> {
  for (let quietLooks = 0; quietLooks < 3;) {
    await sleep(1000);
    const text = await (await fetch(`${url}/metrics`)).text();
    quietLooks = /^stagewatch_measurements_under_way 0$/m.test(text) ? quietLooks + 1 : 0;
  }
}

const dataDir = mkdtempSync(join(tmpdir(), 'stagewatch-bench-'));
const rows: BenchRow[] = [];
try {
  let service = await startServiceProcess({ dataDir });
  const job = spawn(process.execPath, [join(packageRoot, 'dist/libs/lab/demo-job.js'), '--address', service.address], {
    stdio: 'ignore',
  });
  await sleep(3000);
  const delays = await freshness(service);
  job.kill();
  rows.push(
    { what: 'freshness p50, while snapshots are measured', unit: 's', value: quantile(delays, 0.5), asked: '<= 1' },
    { what: 'freshness p99', unit: 's', value: quantile(delays, 0.99), asked: '<= 3' },
  );
  await service.stop();
  const started = performance.now();
  service = await startServiceProcess({ dataDir });
  rows.push({ what: 'up, on an existing data folder', unit: 's', value: (performance.now() - started) / 1000, asked: '<= 5' });
  await nothingMeasured(service);
  await sleep(5000);
  const before = idle(service.pid);
  await sleep(10_000);
  const after = idle(service.pid);
  rows.push(
    { what: 'idle memory', unit: 'MiB', value: after.mib },
    { what: 'idle CPU', unit: '% of a core', value: (after.cpuSeconds - before.cpuSeconds) * 10 },
  );
  await service.stop();
  report('freshness', rows);
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(0);
