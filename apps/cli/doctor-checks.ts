import { once } from 'node:events';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openFileBlobs } from '#blobs/index.js';
import { openLmdbBus } from '#bus/index.js';
import type { Config } from '#runtime/config.js';
import { inspectStore, openEmbeddedStore, tryConfinement } from '#store/index.js';
import { checkBusAndBlobs } from './check-data.js';
import { lockDataFolder } from './data-folder-lock.js';
import { stopSignal } from '#runtime/stop-signal.js';

/** How long somebody who listens on the port may take to answer. */
const askMs = 1000;
/** And one that looks at its stores before it answers. */
const askReadyMs = 5000;

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Opens each store on a temporary folder and uses it once. */
export async function checkStores(): Promise<readonly Check[]> {
  const folder = mkdtempSync(join(tmpdir(), 'stagewatch-doctor-'));
  const openers: readonly [string, () => Promise<{ check(): Promise<void>; close(): Promise<void> }>][] = [
    ['bus (LMDB)', () => Promise.resolve(openLmdbBus({ path: join(folder, 'bus') }))],
    ['blobs (files)', () => Promise.resolve(openFileBlobs({ path: join(folder, 'blobs') }))],
    ['store (chDB)', () => openEmbeddedStore({ path: join(folder, 'clickhouse') })],
  ];
  const checks: Check[] = [];
  try {
    for (const [name, open] of openers) checks.push(await tried(name, open));
    checks.push({
      name: 'process of the store',
      ok: true,
      detail: await tryConfinement(join(folder, 'clickhouse')).catch(messageOf),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return checks;
}

async function tried(name: string, open: () => Promise<{ check(): Promise<void>; close(): Promise<void> }>): Promise<Check> {
  const startedMs = performance.now();
  try {
    const part = await open();
    await part.check();
    await part.close();
    return { name, ok: true, detail: `opened, used and closed in ${Math.round(performance.now() - startedMs)} ms` };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Bus, blobs and every part of the store against what they held before and, when nobody has them open, every byte against its checksum. */
export async function checkStoredData(config: Config): Promise<readonly Check[]> {
  if (config.clickhouse.url !== undefined)
    return [{ name: 'store', ok: true, detail: 'a server of its own looks after its data' }];
  const path = join(config.dataDir, 'clickhouse');
  let lock: { release(): void };
  try {
    lock = lockDataFolder(config.dataDir);
  } catch (error) {
    return [await askRunning(config, `store ${path}`, messageOf(error))];
  }
  try {
    const others = await checkBusAndBlobs(config.dataDir);
    const store = inspected(path).catch((error: unknown) => [{ name: `store ${path}`, ok: false, detail: messageOf(error) }]);
    return [...others, ...(await store)];
  } finally {
    lock.release();
  }
}

async function inspected(path: string): Promise<readonly Check[]> {
  const name = `store ${path}`;
  const report = await inspectStore(path);
  if (report === undefined) return [{ name, ok: true, detail: 'nothing is stored here yet' }];
  const served = { name, ok: true, detail: `${report.rows} rows in ${report.parts} parts are served` };
  return [served, ...report.damage.map((detail) => ({ name, ok: false, detail }))];
}

/** The service that runs on the folder knows what it found when it started. */
async function askRunning({ host, ports }: Config, name: string, otherwise: string): Promise<Check> {
  const stop = stopSignal([], askReadyMs);
  try {
    const response = await fetch(`http://${host}:${ports.http}/readyz`, { signal: stop.signal });
    const { checks } = (await response.json()) as { checks: readonly { name: string; ready: boolean; reason?: string }[] };
    const store = checks.find((check) => check.name === 'store');
    const detail =
      store?.reason ?? 'the service that runs on it finds no damage; its checksums are compared when it does not run';
    return { name, ok: store?.ready === true, detail };
  } catch {
    return { name, ok: false, detail: `not checked: ${otherwise}` };
  } finally {
    stop.end();
  }
}

export async function checkPorts({ host, ports }: Config): Promise<readonly Check[]> {
  const flags = { http: '--port-http', grpc: '--port-grpc', clickhouse: '--port-clickhouse' } as const;
  const ours = await isStagewatch(host, ports.http);
  return Promise.all(
    Object.entries(ports).map(async ([name, port]): Promise<Check> => {
      const named = `${name} ${host}:${port}`;
      if (await isFree(host, port)) return { name: named, ok: true, detail: 'free' };
      if (ours) return { name: named, ok: true, detail: 'a stagewatch service answers here' };
      return { name: named, ok: false, detail: `taken by another program; choose one with ${flags[name as keyof typeof flags]}` };
    }),
  );
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  const free = once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.listen(port, host);
  const answer = await free;
  server.close();
  return answer;
}

async function isStagewatch(host: string, port: number): Promise<boolean> {
  const stop = stopSignal([], askMs);
  try {
    const response = await fetch(`http://${host}:${port}/healthz`, { signal: stop.signal });
    return response.ok;
  } catch {
    return false;
  } finally {
    stop.end();
  }
}

export function checkDataFolder(dataDir: string): Check {
  const name = dataDir;
  let existing = dataDir;
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
  } catch {
    return { name, ok: false, detail: `${existing} cannot be written to; choose another folder with --data` };
  }
  const { bavail, bsize } = statfsSync(existing);
  const freeGib = (bavail * bsize) / 1024 ** 3;
  const lock = join(dataDir, 'stagewatch.lock');
  const use = existsSync(lock) ? `, locked by process ${readFileSync(lock, 'utf8').split(' ')[0]}` : '';
  return { name, ok: freeGib > 0.5, detail: `writable, ${freeGib.toFixed(1)} GiB free${use}` };
}
