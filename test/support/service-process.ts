import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';

export interface Ports {
  readonly http: number;
  readonly grpc: number;
  readonly clickhouse: number;
}

export interface ServiceProcess {
  readonly ports: Ports;
  readonly url: string;
  readonly address: string;
  readonly pid: number;
  /** What it wrote to standard error so far. */
  log(): string;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Ctrl-C, or another signal; answers the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A service that may not be ready yet. */
export interface LaunchedService extends ServiceProcess {
  /** Rejects when it ends before it is ready. */
  readonly ready: Promise<void>;
  /** The exit code as a shell tells it: 128 and the signal's number after a signal that ended it. */
  readonly exited: Promise<number>;
  /** Without waiting for what comes of it. */
  signal(signal: NodeJS.Signals): void;
}

export interface ServiceOptions {
  readonly dataDir: string;
  readonly ports?: Ports;
  readonly env?: Readonly<Record<string, string>>;
  /** Further flags of `up`. */
  readonly flags?: readonly string[];
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
}

export const cliPath = join(packageRoot, 'dist/apps/cli/main.js');

/** The real service as a process of its own, from what `npm run build` made. */
export async function startServiceProcess(options: ServiceOptions): Promise<ServiceProcess> {
  const service = launchService({ ...options, ports: options.ports ?? (await freePorts()) });
  await service.ready;
  return service;
}

/** The same without waiting: a service can be killed while it starts. */
export function launchService(options: ServiceOptions & { readonly ports: Ports }): LaunchedService {
  const { dataDir, ports, env, nodeFlags = [], flags: further = [] } = options;
  const flags = { data: dataDir, 'port-http': ports.http, 'port-grpc': ports.grpc, 'port-clickhouse': ports.clickhouse };
  const child = spawn(
    process.execPath,
    [
      ...nodeFlags,
      cliPath,
      'up',
      '--log-level',
      'warn',
      ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ...further,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } },
  );
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-100_000)));
  const ready = untilReady(child, () => errors);
  // Whoever kills it while it starts does not want to hear that it did not get ready.
  ready.catch(() => undefined);
  return {
    ports,
    url: `http://127.0.0.1:${ports.http}`,
    address: `127.0.0.1:${ports.grpc}`,
    pid: child.pid!,
    ready,
    exited: (once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>).then(
      ([code, signal]) => code ?? 128 + constants.signals[signal!],
    ),
    log: () => errors,
    kill: () => end(child, 'SIGKILL').then(() => undefined),
    stop: (signal = 'SIGINT') => end(child, signal),
    signal: (signal) => void child.kill(signal),
  };
}

async function untilReady(child: ChildProcess, errors: () => string): Promise<void> {
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Stagewatch is ready')) resolve();
    });
    child.once('close', (code, signal) =>
      reject(new Error(`the service ended with ${code ?? signal} before it was ready\n${output}${errors()}`)),
    );
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit') as Promise<[number | null]>;
  child.kill(signal);
  const [code] = await exited;
  return code;
}

/**
 * Ports that stay free while a service is away: below the range from which the system takes ports for connections, so
 * that none of these is given to somebody else between a stop and the next start.
 */
export async function freePorts(): Promise<Ports> {
  const [http, grpc, clickhouse] = await Promise.all([freePort(), freePort(), freePort()]);
  return http === grpc || grpc === clickhouse || http === clickhouse ? freePorts() : { http, grpc, clickhouse };
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    const server = createServer();
    server.listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Rows of a query against the running service. */
export async function sqlRows<T>(service: Pick<ServiceProcess, 'url'>, sql: string): Promise<T[]> {
  const response = await fetch(`${service.url}/api/sql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sql, format: 'JSONEachRow' }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${text}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** Asks again until the answer satisfies, or says what it was at last. */
export async function eventually<T>(ask: () => Promise<T>, satisfied: (value: T) => boolean, timeoutMs = 30_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await ask();
    if (satisfied(value)) return value;
    if (Date.now() > deadline) throw new Error(`not so after ${timeoutMs} ms: ${JSON.stringify(value).slice(0, 2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
