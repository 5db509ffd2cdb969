import { join } from 'node:path';
import type { Logger } from '#runtime/logging.js';
import { packageRoot } from '#runtime/package-root.js';
import { cpuMsOf } from '#runtime/processes/cpu-seconds.js';
import { LimitedProcess, residentBytes, type ProcessEnd } from '#runtime/processes/limited-process.js';
import { programFiles } from '#runtime/processes/reach.js';
import type { LookAnswer, LookRequest } from './messages.js';

export interface LookProcessOptions {
  readonly memoryBytes: number;
  /** Where the files of its models lie: all that it can reach beside its program. */
  readonly folder: string;
  readonly logger: Logger;
  /** For tests: a built file that speaks the same messages. */
  readonly file?: string | undefined;
}

/** Behind whoever serves, takes in and measures. */
const niceness = 5;
/**
 * Time is what the process computes: on a machine whose processors are all taken by a training, the same look takes
 * several times as long. Waiting ends before a probe gives up, which is after a minute with the time in line.
 */
const patienceMs = 40_000;
const watchEveryMs = 100;
/** What a look leaves behind counts against the next one: a process that holds more than this part of its limit is not used again. */
const maxLeftPart = 0.4;

export type Looked = LookAnswer | { readonly kind: 'late' | 'starved' } | { readonly kind: 'ended'; readonly end: ProcessEnd };

/** The collector's side of `look-program.ts`: one question at a time. */
export class LookProcess {
  readonly memoryBytes: number;
  readonly folder: string;
  private readonly process: LimitedProcess;
  private heard: ((answer: LookAnswer) => void) | undefined;
  private gone = false;

  constructor({ memoryBytes, folder, logger, file }: LookProcessOptions) {
    this.memoryBytes = memoryBytes;
    this.folder = folder;
    this.process = new LimitedProcess({
      name: 'graph-look',
      file: file ?? join(packageRoot, 'dist/apps/collector/graph-look/look-program.js'),
      environment: {},
      memoryBytes,
      niceness,
      reach: { read: [...programFiles, folder, ...(file === undefined ? [] : [file])], write: [] },
      logger,
      onMessage: (message) => this.heard?.(message as LookAnswer),
    });
    void this.process.end.then(() => (this.gone = true));
  }

  /** Ends the process when it has computed for `limitMs` without an answer, or got no time to. */
  async ask(request: LookRequest, limitMs: number): Promise<Looked> {
    const answer = new Promise<LookAnswer>((resolve) => (this.heard = resolve));
    const ended = this.process.end.then((end): Looked => ({ kind: 'ended', end }));
    let watch: NodeJS.Timeout | undefined;
    const late = new Promise<Looked>((resolve) => {
      const beginMs = performance.now();
      const computedBefore = this.computedMs(0);
      watch = setInterval(() => {
        const passedMs = performance.now() - beginMs;
        if (this.computedMs(passedMs) - computedBefore > limitMs) resolve({ kind: 'late' });
        else if (passedMs > patienceMs) resolve({ kind: 'starved' });
      }, watchEveryMs);
    });
    this.process.send(request);
    const looked = await Promise.race([answer, ended, late]);
    clearInterval(watch);
    this.heard = undefined;
    if (looked.kind === 'late' || looked.kind === 'starved') await this.stop('it took too long');
    return looked;
  }

  /** Where no system tells, all time counts that passed; of a process that has just ended, none. */
  private computedMs(passedMs: number): number {
    const { pid } = this.process;
    const told = pid === undefined ? undefined : cpuMsOf(pid);
    return told ?? (process.platform === 'linux' ? 0 : passedMs);
  }

  /** Whether it may be asked again. */
  get isFresh(): boolean {
    const { pid } = this.process;
    if (this.gone || pid === undefined) return false;
    return (residentBytes(pid) ?? 0) <= maxLeftPart * this.memoryBytes;
  }

  async stop(reason: string): Promise<void> {
    await this.process.stop(reason, 0);
  }
}
