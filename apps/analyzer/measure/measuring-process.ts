import { join } from 'node:path';
import type { Logger } from '#runtime/logging.js';
import { libraryEnvironment } from '#runtime/native-environment.js';
import { packageRoot } from '#runtime/package-root.js';
import { LimitedProcess, residentBytes, type ProcessEnd } from '#runtime/processes/limited-process.js';
import type { Answer, EngineSettings, FromMeasuring, JobMessage } from './messages.js';

export interface MeasuringProcessOptions {
  readonly logger: Logger;
  readonly engine: EngineSettings;
  /** On top of what libraries read: which graphics card is its own. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Another program than that of the measuring process. */
  readonly file?: string | undefined;
}

/** Of every process that would like a core, and of those that would like the disk, it comes last. */
const niceness = 19;
/** While it starts: what trying executors may take beside the limit, of which nothing is used yet. */
const startingBytes = 1024 ** 3;

export type Ready = FromMeasuring & { kind: 'ready' };
type Outcome = Answer | ProcessEnd;

/** A process that measures one snapshot at a time. It is of use until it has ended. */
export class MeasuringProcess {
  private readonly process: LimitedProcess;
  private settle: ((outcome: Outcome) => void) | undefined;
  private over: ProcessEnd | undefined;
  /** What it says when it can measure; how it ended when it never could. */
  readonly ready: Promise<Ready | ProcessEnd>;

  constructor({ logger, engine, environment, file }: MeasuringProcessOptions) {
    let becameReady: (outcome: Ready | ProcessEnd) => void;
    this.ready = new Promise((resolve) => (becameReady = resolve));
    this.process = new LimitedProcess({
      name: 'measuring',
      file: file ?? join(packageRoot, 'dist/apps/analyzer/measure/measuring-program.js'),
      args: [JSON.stringify(engine)],
      nodeFlags: ['--expose-gc'],
      environment: { ...libraryEnvironment(), ...environment },
      memoryBytes: engine.memoryBytes + startingBytes,
      niceness,
      logger,
      onMessage: (message) => {
        const answer = message as FromMeasuring;
        if (answer.kind !== 'ready') return this.settle?.(answer);
        this.process.limitMemory(engine.memoryBytes + answer.residentBytes);
        becameReady(answer);
      },
    });
    void this.process.end.then((end) => {
      this.over = end;
      becameReady(end);
      this.settle?.(end);
    });
  }

  get end(): Promise<ProcessEnd> {
    return this.process.end;
  }

  /** Undefined when it could not be started at all. */
  get pid(): number | undefined {
    return this.process.pid;
  }

  get residentBytes(): number {
    return this.pid === undefined || this.over !== undefined ? 0 : (residentBytes(this.pid) ?? 0);
  }

  /** How it ended, when it ended over it. */
  ask(message: JobMessage): Promise<Outcome> {
    return new Promise((resolve) => {
      this.settle = resolve;
      if (this.over !== undefined) resolve(this.over);
      else this.process.send(message);
    });
  }

  /** By force, wherever it is: nothing of it is needed any more. */
  stop(reason: string): Promise<ProcessEnd> {
    return this.process.stop(reason, 0);
  }
}
