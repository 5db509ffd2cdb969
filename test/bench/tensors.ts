/**
 * Tensors in: MB/s of snapshots from a Python probe's own uploader to durable blobs, in turns with what the machine
 * gives without us: a TCP socket, a bare grpc-js server, the disk.
 *
 *     npm run build && node dist/test/bench/tensors.js [MiB of a snapshot] [rounds]
 *
 * The data folder is a temporary one: `TMPDIR=/dev/shm` in front shows the road without the disk.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '#runtime/package-root.js';
import { findPython } from '../support/needs.js';
import { startServiceProcess } from '../support/service-process.js';
import { quantile, report, type BenchRow } from './support/report.js';

const mib = Number(process.argv[2] ?? 256);
const rounds = Number(process.argv[3] ?? 7);
const megabytes = (mib * 1024 * 1024) / 1e6;

const python = findPython('the bench of tensors', ['grpc', 'google.protobuf', 'numpy']);
if (python === undefined) throw new Error('no Python here sees grpc, protobuf and numpy');

const bare = spawn(process.execPath, [fileURLToPath(new URL('./support/discard-server.js', import.meta.url))], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [told] = (await once(bare.stdout, 'data')) as [Buffer];
const ceilings = JSON.parse(told.toString()) as { readonly grpc: number; readonly tcp: number };

const probe = spawn(python, [join(packageRoot, 'test/bench/support/tensor_probe.py'), String(mib)], {
  stdio: ['pipe', 'pipe', 'inherit'],
  env: { ...process.env, PYTHONPATH: join(packageRoot, 'libs/probes/python/src') },
});
const answers = createInterface(probe.stdout)[Symbol.asyncIterator]();

interface Turn {
  readonly seconds: number;
  readonly cpu: number;
}

async function order(what: object): Promise<Turn> {
  probe.stdin.write(`${JSON.stringify(what)}\n`);
  const answer = await answers.next();
  if (answer.done === true) throw new Error('the Python probe ended; its error is above');
  return JSON.parse(answer.value) as Turn;
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const dataDir = mkdtempSync(join(tmpdir(), 'stagewatch-bench-'));
const service = await startServiceProcess({ dataDir });
try {
  const turns: { readonly [what: string]: (key: string) => object } = {
    tcp: () => ({ how: 'tcp', port: ceilings.tcp }),
    bare: (key) => ({ how: 'grpc', address: `127.0.0.1:${ceilings.grpc}`, key }),
    disk: () => ({ how: 'disk', path: join(dataDir, 'ceiling.bin') }),
    ours: (key) => ({ how: 'grpc', address: service.address, key }),
  };
  const rates: { [what: string]: number[] } = {};
  const serviceCpu: number[] = [];
  const probeCpu: number[] = [];
  const diskCpu: number[] = [];
  const [load] = loadavg();
  // The round in front warms up and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const [what, make] of Object.entries(turns)) {
      const before = cpuSeconds(service.pid);
      const { seconds, cpu } = await order(make(`step-${round}`));
      if (round === 0) continue;
      (rates[what] ??= []).push(megabytes / seconds);
      if (what === 'disk') diskCpu.push((cpu / megabytes) * 1000);
      if (what !== 'ours') continue;
      serviceCpu.push(((cpuSeconds(service.pid) - before) / megabytes) * 1000);
      probeCpu.push((cpu / megabytes) * 1000);
    }
  }
  const median = (what: string): number => quantile(rates[what]!, 0.5);
  const best = (what: string): number => Math.max(...rates[what]!);
  const names = { tcp: 'TCP socket, discarded', bare: 'bare grpc-js, discarded', disk: 'disk, write and fdatasync' };
  const of = (how: 'median' | 'best', pick: (what: string) => number): BenchRow[] =>
    Object.entries(names).map(([what, name]) => ({
      what: `tensors to durable blobs, ${how} of ${rounds}`,
      unit: 'MB/s',
      value: pick('ours'),
      asked: '>= 400',
      ceiling: { what: name, value: pick(what) },
    }));
  report('tensors', [
    ...of('median', median),
    ...of('best', best),
    { what: 'service CPU for a GB', unit: 'cpu s', value: quantile(serviceCpu, 0.5) },
    { what: 'probe CPU for a GB', unit: 'cpu s', value: quantile(probeCpu, 0.5) },
    { what: 'CPU for a GB written to the disk and nothing else', unit: 'cpu s', value: quantile(diskCpu, 0.5) },
    { what: 'MiB of a snapshot', unit: 'MiB', value: mib },
    { what: 'load of the machine before (1 min)', unit: 'processes', value: load! },
  ]);
  const list = (values: readonly number[]): string => values.map((value) => value.toFixed(0)).join(' ');
  for (const [what, values] of Object.entries(rates)) console.log(`${what.padEnd(5)} MB/s by round: ${list(values)}`);
} finally {
  probe.kill();
  bare.kill();
  await service.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit(0);
