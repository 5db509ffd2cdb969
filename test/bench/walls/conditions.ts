import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '#runtime/package-root.js';
import { attach, upload } from '#collector/testing/talk.js';
import { bombs } from '#graph/testing/bombs.js';
import { sha256 } from '#wire/checksum.js';
import { createIngestClient } from '#wire/client.js';
import { smallProbeSet } from '../../attacks/support/npz-bomb.js';
import type { ServiceProcess } from '../../support/service-process.js';

/** What is done to the service while it is watched. */
export interface Condition {
  readonly name: string;
  /** Goes on until the signal; answers what was counted on the way. */
  readonly disturb: (service: ServiceProcess, signal: AbortSignal) => Promise<Readonly<Record<string, number>>>;
}

const killEveryMs = 10_000;
const hungReceivers = 30;
const answerMs = 60_000;

export const conditions: readonly Condition[] = [
  { name: '(a) nothing', disturb: async (_, signal) => (await aborted(signal), {}) },
  { name: '(b) queries that burn', disturb: burn },
  { name: '(c) a measurement that hangs', disturb: hangMeasurement },
  { name: '(d) bombs of graphs', disturb: sendBombs },
  { name: '(e) 30 hung receivers', disturb: hangReceivers },
  { name: '(f) ClickHouse killed every 10 s', disturb: (service, signal) => killEvery(service, 'libs/store/', signal) },
  { name: '(g) measuring killed every 10 s', disturb: (service, signal) => killEvery(service, 'apps/analyzer/measure/', signal) },
];

/** A real training whose snapshots are measured, beside everything else. */
export function startTraining(service: ServiceProcess): { stop(): void } {
  const file = join(packageRoot, 'dist/libs/lab/demo-job.js');
  const job = spawn(process.execPath, [file, '--address', service.address, '--steps', '100000'], { stdio: 'ignore' });
  return { stop: () => void job.kill('SIGKILL') };
}

async function burn({ url, ports }: ServiceProcess, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const sql = 'SELECT count() FROM numbers(1e14) WHERE NOT ignore(sipHash64(number))';
  let answers = 0;
  const ask = async (address: string, init: RequestInit): Promise<void> => {
    while (!signal.aborted) {
      await fetch(address, { ...init, signal }).then(
        async (response) => response.text(),
        () => undefined,
      );
      answers++;
      await sleep(20);
    }
  };
  const api: RequestInit = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql }) };
  await Promise.all([
    ...Array.from({ length: 4 }, () => ask(`${url}/api/sql`, api)),
    ...Array.from({ length: 4 }, () => ask(`http://127.0.0.1:${ports.clickhouse}/`, { method: 'POST', body: sql })),
  ]);
  return { 'queries ended': answers };
}

/** Stopped, it neither answers nor ends: what a native library in an endless loop looks like from outside. */
async function hangMeasurement(service: ServiceProcess, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const stopped = new Set<number>();
  while (!signal.aborted) {
    for (const pid of childrenOf(service.pid, 'apps/analyzer/measure/')) {
      if (stopped.has(pid)) continue;
      process.kill(pid, 'SIGSTOP');
      stopped.add(pid);
    }
    await sleep(200);
  }
  return { 'processes stopped': stopped.size };
}

/** One after the other, all that are known: each wants more than any machine has. */
async function sendBombs(service: ServiceProcess, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const client = createIngestClient({ address: service.address });
  const graphs = Object.values(bombs).map((make) => Buffer.from(make()));
  const train = smallProbeSet();
  let answers = 0;
  for (let i = 0; !signal.aborted; i++) {
    const run = await attach(client, { loss: { kind: 'LOSS_KIND_CROSS_ENTROPY' } });
    const put = async (data: Buffer): Promise<string> => {
      await upload(client, { run, kind: 'BLOB_KIND_ARTIFACT', key: sha256(data), data, chunkBytes: 1024 ** 2 });
      return sha256(data);
    };
    const [graphDigest, digest] = [await put(graphs[i % graphs.length]!), await put(train)];
    const model = { format: 'MODEL_FORMAT_ONNX', graphDigest, parameters: ['w'], train: { digest } } as const;
    // Refused or told to come back; what is measured is what the others notice of it.
    await client.describeModel({ ...run, model }, answerMs).catch(() => undefined);
    answers++;
  }
  client.close();
  return { 'graphs answered': answers };
}

async function hangReceivers(service: ServiceProcess, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (let i = 0; i < hungReceivers; i++) {
    const rule = { name: `hung ${i}`, url: `http://127.0.0.1:${port}/${i}`, groupSeconds: 0, throttleSeconds: 0 };
    const response = await fetch(`${service.url}/api/alerts/rules/hung-${i}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(rule),
    });
    if (!response.ok) throw new Error(`rule: ${response.status} ${await response.text()}`);
  }
  await aborted(signal);
  for (const socket of sockets) socket.destroy();
  server.close();
  return { 'connections that hung': sockets.size };
}

async function killEvery(
  service: ServiceProcess,
  program: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  let kills = 0;
  while (!signal.aborted) {
    await sleep(killEveryMs, undefined, { signal }).catch(() => undefined);
    for (const pid of signal.aborted ? [] : childrenOf(service.pid, program)) {
      process.kill(pid, 'SIGKILL');
      kills++;
    }
  }
  return { kills };
}

/** Processes of the service that run a program in this folder of the build. */
function childrenOf(parent: number, program: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const isChild = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
        return isChild && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`dist/${program}`);
      } catch {
        return false;
      }
    });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
