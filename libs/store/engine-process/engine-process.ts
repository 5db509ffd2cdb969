import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { StagewatchError } from '#runtime/errors.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { packageRoot } from '#runtime/package-root.js';
import { describeEnd, LimitedProcess } from '#runtime/processes/limited-process.js';
import { describeConfinement, programFiles, type Confinement } from '#runtime/processes/reach.js';
import { backoffMs, sleep } from '#runtime/retry.js';
import { threadsOfPool } from './classes.js';
import { writeConfiguration } from './configuration.js';
import { closeMessage, socketName, type EngineLimits, type EngineMessage, type EngineOptions } from './options.js';

export interface EngineProcessOptions {
  /** Data folder of the database; the process has it alone. */
  readonly path: string;
  readonly limits: EngineLimits;
  readonly logger: Logger;
  readonly metrics?: Metrics | undefined;
}

const program = join(packageRoot, 'dist/libs/store/engine-process/main.js');
/** Paths of sockets are this short at most, on every system. */
const maxSocketPath = 100;
/** Of the engine's own code, its caches and what it does not count. */
const overheadBytes = 1024 ** 3;
const restartDelays = { firstDelayMs: 100, maxDelayMs: 5000 };
/** One that lived so long did not end because of how it was started. */
const healthyAfterMs = 5000;
/** The process of a service that was killed a moment ago may still hold the folder. */
const firstStartWithinMs = 10_000;
/** A large database takes a while to open; longer than this, it never will. */
const maxStartMs = 10 * 60_000;
const lookEveryMs = 3000;
/**
 * Queries never hold up its loop, so one that has not answered after so many looks will not answer any more: after a fault in
 * its native code ClickHouse's own handler keeps the process as it is. Looks are counted and not time, for ours may stand still.
 */
const maxUnanswered = 5;
/** Statements that run at closing may end; a mutation of a large table is given up, and goes on at the next start. */
const graceMs = 20_000;

/** ClickHouse as a process beside this one, started again whenever it ends. */
export class EngineProcess {
  private readonly options: EngineOptions;
  private readonly stopping = new AbortController();
  private child: LimitedProcess | undefined;
  private supervision: Promise<void> | undefined;
  private lastEnd: string | undefined = 'it has not been started';
  confinement: Confinement | undefined;

  private constructor(private readonly given: EngineProcessOptions) {
    const privateFolder = choosePrivateFolder(given.path);
    const socketPath = join(privateFolder, socketName);
    this.options = { path: given.path, privateFolder, socketPath, limits: given.limits };
  }

  /** Resolves when it answers; throws with its own reason when it cannot be started. */
  static async start(options: EngineProcessOptions): Promise<EngineProcess> {
    const engine = new EngineProcess(options);
    const deadline = Date.now() + firstStartWithinMs;
    for (let tries = 0; ; tries++) {
      const failure = await engine.launch();
      if (failure === undefined) break;
      if (!/Cannot lock file/.test(failure) || Date.now() > deadline) {
        engine.clear();
        throw new StagewatchError('UNAVAILABLE', failure);
      }
      await sleep(backoffMs(tries, restartDelays));
    }
    engine.supervision = engine.supervise();
    return engine;
  }

  get socketPath(): string {
    return this.options.socketPath;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Throws while it cannot be asked. */
  check(): Promise<void> {
    if (this.lastEnd === undefined) return Promise.resolve();
    return Promise.reject(new StagewatchError('UNAVAILABLE', `ClickHouse is started again: ${this.lastEnd}`));
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.end();
    await this.supervision;
    this.clear();
  }

  private async end(): Promise<void> {
    const { child } = this;
    if (child?.send(closeMessage) !== true) return;
    const force = setTimeout(() => void child.stop('it did not close in time', 0), graceMs);
    await child.end;
    clearTimeout(force);
  }

  /** Undefined when it is ready, otherwise why it is not. */
  private async launch(): Promise<string | undefined> {
    const { path, privateFolder, socketPath, limits } = this.options;
    rmSync(socketPath, { force: true });
    // Before the process is confined to it.
    mkdirSync(join(path, 'tmp'), { recursive: true });
    writeConfiguration(this.options);
    let hear: (message: EngineMessage) => void = () => undefined;
    const heard = new Promise<EngineMessage>((resolve) => (hear = resolve));
    const child = new LimitedProcess({
      name: 'clickhouse',
      file: program,
      args: [`--engine=${JSON.stringify(this.options)}`],
      nodeFlags: ['--max-semi-space-size=4', '--max-old-space-size=512'],
      reach: { read: [...programFiles, privateFolder], write: [path, privateFolder] },
      environment: { UV_THREADPOOL_SIZE: String(threadsOfPool(limits)), TZ: 'UTC', TMPDIR: join(path, 'tmp') },
      memoryBytes: limits.memoryBytes + overheadBytes,
      niceness: 0,
      logger: this.given.logger,
      onMessage: (message) => hear(message as EngineMessage),
    });
    this.child = child;
    const late = setTimeout(() => void child.stop(`it was not ready after ${maxStartMs / 60_000} minutes`, 0), maxStartMs);
    const message = await Promise.race([heard, child.end]);
    clearTimeout(late);
    if (message.kind === 'ready') {
      this.lastEnd = undefined;
      if (this.confinement === undefined) this.tellConfinement(message.confinement);
      return undefined;
    }
    const end = await child.end;
    return (this.lastEnd = message.kind === 'failed' ? message.reason : describeEnd(end));
  }

  private async supervise(): Promise<void> {
    const { logger, metrics } = this.given;
    const { signal } = this.stopping;
    for (let tries = 0; !signal.aborted;) {
      const startedMs = Date.now();
      if (this.lastEnd === undefined) {
        const watching = this.watch(this.child!);
        this.lastEnd = describeEnd(await this.child!.end);
        clearInterval(watching);
      }
      if (signal.aborted) return;
      tries = Date.now() - startedMs > healthyAfterMs ? 0 : tries + 1;
      const delayMs = backoffMs(tries, restartDelays);
      metrics?.engineRestarts.inc();
      logger.error(
        { reason: this.lastEnd, delayMs: Math.round(delayMs) },
        'the process of ClickHouse has ended and is started again',
      );
      await sleep(delayMs, signal);
      if (!signal.aborted) await this.launch();
      // Closing may have found no process to stop.
      if (signal.aborted) await this.end();
    }
  }

  /** Ends it when it does not answer for too long. */
  private watch(child: LimitedProcess): NodeJS.Timeout {
    let unanswered = 0;
    let asking = false;
    const timer = setInterval(() => {
      if (unanswered >= maxUnanswered) void child.stop(`it did not answer for ${(maxUnanswered * lookEveryMs) / 1000} s`, 0);
      unanswered++;
      if (asking) return;
      asking = true;
      const done = (): void => void (asking = false);
      get({ socketPath: this.options.socketPath, path: '/ping', agent: false }, (answer) => {
        unanswered = 0;
        answer.resume().once('close', done);
      }).once('error', done);
    }, lookEveryMs);
    timer.unref();
    return timer;
  }

  private tellConfinement(confinement: Confinement): void {
    this.confinement = confinement;
    const text = describeConfinement(confinement);
    if (confinement.kind === 'none') this.given.logger.warn(`the process of ClickHouse is ${text}`);
    else this.given.logger.debug(`the process of ClickHouse is ${text}`);
  }

  private clear(): void {
    rmSync(this.options.privateFolder, { recursive: true, force: true });
  }
}

/** Beside the data, where it is found again; with the temporary files when the name of a socket there would be too long. */
function choosePrivateFolder(path: string): string {
  const beside = `${path}-engine`;
  return join(beside, socketName).length <= maxSocketPath ? beside : mkdtempSync(join(tmpdir(), 'stagewatch-engine-'));
}

export function defaultEngineLimits(memoryBytes: number): EngineLimits {
  return { memoryBytes, temporaryDiskBytes: 4 * 1024 ** 3, threads: Math.max(2, availableParallelism()) };
}
