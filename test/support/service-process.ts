import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
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
  /** Ctrl-C; answers the exit code. */
  stop(): Promise<number | null>;
}

export const cliPath = join(packageRoot, 'dist/apps/cli/main.js');

/** The real service as a process of its own, from what `npm run build` made. */
export async function startServiceProcess(options: {
  readonly dataDir: string;
  readonly ports?: Ports;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<ServiceProcess> {
  const ports = options.ports ?? (await freePorts());
  const child = spawn(
    process.execPath,
    [
      cliPath,
      'up',
      '--data',
      options.dataDir,
      '--port-http',
      String(ports.http),
      '--port-grpc',
      String(ports.grpc),
      '--port-clickhouse',
      String(ports.clickhouse),
      '--log-level',
      'warn',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } },
  );
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-100_000)));
  await ready(child, () => errors);
  return {
    ports,
    url: `http://127.0.0.1:${ports.http}`,
    address: `127.0.0.1:${ports.grpc}`,
    pid: child.pid!,
    log: () => errors,
    kill: () => end(child, 'SIGKILL').then(() => undefined),
    stop: () => end(child, 'SIGINT'),
  };
}

async function ready(child: ChildProcess, errors: () => string): Promise<void> {
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Stagewatch is ready')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the service ended with ${code} before it was ready\n${output}${errors()}`)));
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit') as Promise<[number | null]>;
  child.kill(signal);
  const [code] = await exited;
  return code;
}

export async function freePorts(): Promise<Ports> {
  const servers = await Promise.all([0, 0, 0].map(() => listen()));
  const [http, grpc, clickhouse] = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return { http: http!, grpc: grpc!, clickhouse: clickhouse! };
}

async function listen(): Promise<ReturnType<typeof createServer>> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
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
