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
import { eventually, sqlRows, startServiceProcess } from '../support/service-process.js';
import { attachBenchRun, scalarRecord, sendRecords } from './support/load.js';
import { report } from './support/report.js';

const seconds = Number(process.argv[2] ?? 20);
const pointsPerRecord = 500;

async function rate(address: string, forSeconds: number): Promise<{ perSecond: number; points: number; runId: string }> {
  const run = await attachBenchRun(address, 'scalars');
  const started = performance.now();
  let sent = 0;
  let acknowledged = 0;
  function* records(): Generator<Uint8Array> {
    while (performance.now() - started < forSeconds * 1000) {
      sent++;
      yield scalarRecord(sent, (sent - 1) * (pointsPerRecord / 5), pointsPerRecord);
    }
  }
  await new Promise<void>((resolve, reject) => {
    const check = setInterval(() => {
      if (performance.now() - started < forSeconds * 1000 || acknowledged < sent) return;
      clearInterval(check);
      resolve();
    }, 5);
    sendRecords(run, records(), Number.MAX_SAFE_INTEGER, (sequence) => (acknowledged = sequence)).catch(reject);
  });
  const perSecond = (acknowledged * pointsPerRecord) / ((performance.now() - started) / 1000);
  run.client.close();
  return { perSecond, points: acknowledged * pointsPerRecord, runId: run.attached.runId };
}

function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
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
const ceiling = await rate(`127.0.0.1:${port.toString().trim()}`, Math.min(seconds, 10));
bare.kill();

const dataDir = mkdtempSync(join(tmpdir(), 'stagewatch-bench-'));
const service = await startServiceProcess({ dataDir });
try {
  await rate(service.address, 3);
  const memory: number[] = [];
  const cpuBefore = cpuSeconds(service.pid);
  const sampling = setInterval(() => memory.push(residentMib(service.pid)), 500);
  const ours = await rate(service.address, seconds);
  clearInterval(sampling);
  const cpu = cpuSeconds(service.pid) - cpuBefore;
  const count = `SELECT count() AS n FROM scalars WHERE run = '${ours.runId}'`;
  const started = performance.now();
  await eventually(
    () => sqlRows<{ n: string }>(service, count),
    ([row]) => Number(row!.n) === ours.points,
    120_000,
  );
  const fifth = Math.max(1, Math.floor(memory.length / 5));
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  report('scalars', [
    {
      what: 'points to durable',
      unit: 'points/s',
      value: ours.perSecond,
      asked: '>= 50000',
      ceiling: { what: 'grpc-js that stores nothing', value: ceiling.perSecond },
    },
    {
      what: 'points to durable for each second of service CPU, ClickHouse included',
      unit: 'points/cpu s',
      value: ours.points / cpu,
    },
    { what: 'all in ClickHouse after the last acknowledgement', unit: 's', value: (performance.now() - started) / 1000 },
    { what: 'memory, second fifth of the time', unit: 'MiB', value: mean(memory.slice(fifth, 2 * fifth)) },
    { what: 'memory, last fifth of the time', unit: 'MiB', value: mean(memory.slice(-fifth)) },
  ]);
} finally {
  await service.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(0);
