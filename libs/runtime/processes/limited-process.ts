import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import type { Logger } from '../logging.js';
import { confineFile, type Reach } from './reach.js';

/** How a process came to its end. */
export type ProcessEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  /** It used more memory than it was given. */
  | { readonly kind: 'memory'; readonly usedBytes: number; readonly limitBytes: number }
  /** Somebody here ended it. */
  | { readonly kind: 'ended'; readonly reason: string };

export interface LimitedProcessOptions {
  readonly name: string;
  /** A built file, run by this Node. */
  readonly file: string;
  readonly args?: readonly string[];
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  /** With it the process is confined to these files and has no TCP, where the system can do that. */
  readonly reach?: Reach;
  /** Everything it sees of the environment: secrets of the service are not in its reach. */
  readonly environment: Readonly<Record<string, string>>;
  /** Resident memory at which it is ended. */
  readonly memoryBytes: number;
  /** 0 as everybody, 19 lowest. */
  readonly niceness: number;
  /** When the machine runs out of memory, Linux ends this process before any other. */
  readonly firstToGo?: boolean;
  readonly logger: Logger;
  readonly onMessage?: (message: unknown) => void;
}

/** More than a process takes in a millisecond, on any number of cores: one that is far from its limit is looked at later. */
const bytesPerMs = 16 * 1024 ** 2;
const soonestLookMs = 50;
const latestLookMs = 1000;
const defaultGraceMs = 2000;

/**
 * A child process with a limit of memory that holds, a priority, and an environment of its own. Whoever starts it decides
 * what follows when it ends. It speaks by messages (structured clone), and what it prints goes to the log.
 */
export class LimitedProcess {
  private readonly child: ChildProcess;
  private watch: NodeJS.Timeout | undefined;
  private reason: ProcessEnd | undefined;
  private limitBytes: number;
  /** Resolves once it is gone, whatever the reason. */
  readonly end: Promise<ProcessEnd>;

  constructor(private readonly options: LimitedProcessOptions) {
    const { file, args = [], nodeFlags = [], environment, name, logger, reach } = options;
    const confined = reach !== undefined;
    this.limitBytes = options.memoryBytes;
    this.child = fork(file, confined ? [...args, `--confine=${JSON.stringify(reach)}`] : args, {
      execArgv: confined ? [...nodeFlags, '--require', confineFile] : [...nodeFlags],
      env: { ...environment },
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child.stdout?.on('data', (text: Buffer) => logger.info({ process: name }, text.toString('utf8').trimEnd()));
    this.child.stderr?.on('data', (text: Buffer) => logger.warn({ process: name }, text.toString('utf8').trimEnd()));
    this.child.on('message', (message) => options.onMessage?.(message));
    this.end = new Promise((resolve) => {
      const finish = (end: ProcessEnd): void => {
        clearTimeout(this.watch);
        this.reason ??= end;
        resolve(this.reason);
      };
      this.child.once('error', (error) => finish({ kind: 'ended', reason: error.message }));
      this.child.once('exit', (code, signal) =>
        finish(signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signal', signal }),
      );
    });
    if (this.child.pid === undefined) return;
    lowerPriority(this.child.pid, options.niceness);
    if (options.firstToGo === true) offerToOutOfMemory(this.child.pid);
    this.lookAgain(soonestLookMs);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** For a process that says what it takes before it has anything to do. */
  limitMemory(bytes: number): void {
    this.limitBytes = bytes;
    this.lookAgain(soonestLookMs);
  }

  /** False when it is gone. */
  send(message: unknown): boolean {
    if (!this.child.connected) return false;
    this.child.send(message as never, () => undefined);
    return true;
  }

  /** Asks it to end, and ends it by force when it has not after `graceMs`; 0 asks nothing. */
  async stop(reason: string, graceMs = defaultGraceMs): Promise<ProcessEnd> {
    this.reason ??= { kind: 'ended', reason };
    this.child.kill(graceMs === 0 ? 'SIGKILL' : 'SIGTERM');
    const force = setTimeout(() => this.child.kill('SIGKILL'), graceMs);
    const end = await this.end;
    clearTimeout(force);
    return end;
  }

  private lookAgain(afterMs: number): void {
    clearTimeout(this.watch);
    // Until it is gone, also while it is asked to end.
    if (this.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.watch = setTimeout(() => this.look(), afterMs);
    this.watch.unref();
  }

  private look(): void {
    const usedBytes = residentBytes(this.child.pid!);
    const leftBytes = this.limitBytes - (usedBytes ?? 0);
    if (leftBytes >= 0) return this.lookAgain(Math.min(latestLookMs, Math.max(soonestLookMs, leftBytes / bytesPerMs)));
    this.reason ??= { kind: 'memory', usedBytes: usedBytes!, limitBytes: this.limitBytes };
    this.child.kill('SIGKILL');
  }
}

/** Undefined where the system does not tell, and for a process that is gone. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

function lowerPriority(pid: number, niceness: number): void {
  try {
    if (niceness > 0) setPriority(pid, Math.min(niceness, constants.priority.PRIORITY_LOW));
  } catch {
    // It has ended already, or the system has no priorities.
  }
}

function offerToOutOfMemory(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // It has ended already, or the system decides by itself.
  }
}

export function describeEnd(end: ProcessEnd): string {
  const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
  if (end.kind === 'exited') return `it exited with code ${end.code}`;
  if (end.kind === 'signal') return `it was ended by ${end.signal}`;
  if (end.kind === 'memory') return `it used ${mib(end.usedBytes)} of memory, its limit is ${mib(end.limitBytes)}`;
  return end.reason;
}
