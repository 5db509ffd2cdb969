/**
 * Numbers in: points a second from one probe to durable on the bus, and whether memory stays flat.
 *
 *     npm run build && node dist/test/bench/scalars.js [seconds]      (600 for the ten minutes)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, sqlRows, startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { attachBenchRun, scalarRecord, sendRecords } from './support/load.js';
import { report } from './support/report.js';

const seconds = Number(process.argv[2] ?? 20);
const pointsPerRecord = 500;
/** The promise, and a little more: a load that must be carried for as long as one likes. */
const steadyPointsPerSecond = 60_000;

interface Sent {
  readonly points: number;
  readonly perSecond: number;
  readonly runId: string;
}

/** Sends for so long, as fast as the other side takes it or at a steady pace. */
async function send(address: string, forSeconds: number, pointsPerSecond = Number.POSITIVE_INFINITY): Promise<Sent> {
  const run = await attachBenchRun(address, 'scalars');
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  let sent = 0;
  const acknowledged = await sendRecords(run, () => {
    if (elapsed() >= forSeconds) return 'end';
    if (sent * pointsPerRecord > elapsed() * pointsPerSecond) return 'later';
    sent++;
    return scalarRecord(sent, (sent - 1) * (pointsPerRecord / 5), pointsPerRecord);
  });
  const points = acknowledged * pointsPerRecord;
  const perSecond = points / elapsed();
  run.client.close();
  return { points, perSecond, runId: run.attached.runId };
}

/** Memory of its own, without the pages of mapped files, which the system takes back when it needs them. */
function ownMib(pid: number): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const bare = spawn(process.execPath, [fileURLToPath(new URL('./support/ack-server.js', import.meta.url))], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [port] = (await once(bare.stdout, 'data')) as [Buffer];
const ceiling = await send(`127.0.0.1:${port.toString().trim()}`, 5);
bare.kill();

async function untilInClickHouse(service: ServiceProcess, { runId, points }: Sent): Promise<number> {
  const started = performance.now();
  const count = `SELECT count() AS n FROM scalars WHERE run = '${runId}'`;
  await eventually(
    () => sqlRows<{ n: string }>(service, count),
    ([row]) => Number(row!.n) === points,
    600_000,
  );
  return (performance.now() - started) / 1000;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

const dataDir = mkdtempSync(join(tmpdir(), 'stagewatch-bench-'));
const service = await startServiceProcess({ dataDir });
try {
  await send(service.address, 2);
  const fast = await send(service.address, 5);
  const behind = await untilInClickHouse(service, fast);
  const memory: number[] = [];
  const cpuBefore = cpuSeconds(service.pid);
  const sampling = setInterval(() => memory.push(ownMib(service.pid)), 500);
  const steady = await send(service.address, seconds, steadyPointsPerSecond);
  clearInterval(sampling);
  const cpu = cpuSeconds(service.pid) - cpuBefore;
  const fifth = Math.max(1, Math.floor(memory.length / 5));
  report('scalars', [
    {
      what: 'points to durable, as fast as it goes',
      unit: 'points/s',
      value: fast.perSecond,
      asked: '>= 50000',
      ceiling: { what: 'grpc-js that stores nothing', value: ceiling.perSecond },
    },
    {
      what: 'points into ClickHouse, catching up with those',
      unit: 'points/s',
      value: fast.points / (5 + behind),
      asked: '>= 50000',
    },
    {
      what: `points to durable and into ClickHouse, steadily for ${seconds} s`,
      unit: 'points/s',
      value: steady.perSecond,
      asked: '>= 50000',
    },
    { what: 'CPU of the whole service meanwhile', unit: 'cores', value: cpu / seconds },
    {
      what: 'last of them in ClickHouse after the last acknowledgement',
      unit: 's',
      value: await untilInClickHouse(service, steady),
    },
    { what: 'memory, second fifth of that time', unit: 'MiB', value: mean(memory.slice(fifth, 2 * fifth)) },
    {
      what: 'memory, last fifth of that time',
      unit: 'MiB',
      value: mean(memory.slice(-fifth)),
      ceiling: { what: 'second fifth', value: mean(memory.slice(fifth, 2 * fifth)) },
    },
  ]);
} finally {
  await service.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(0);
