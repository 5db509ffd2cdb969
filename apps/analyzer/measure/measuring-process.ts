import { join } from 'node:path';
import type { Logger } from '#runtime/logging.js';
import { libraryEnvironment } from '#runtime/native-environment.js';
import { packageRoot } from '#runtime/package-root.js';
import { LimitedProcess, residentBytes, type ProcessEnd } from '#runtime/processes/limited-process.js';
import { programFiles } from '#runtime/processes/reach.js';
import type { Answer, EngineSettings, FromMeasuring, JobMessage } from './messages.js';

export interface MeasuringProcessOptions {
  readonly logger: Logger;
  readonly engine: EngineSettings;
  /** Folders that jobs lie in, and the one that it may write to. */
  readonly jobFolders: readonly string[];
  readonly scratch: string;
  /** On top of what libraries read: which graphics card is its own. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Another program than that of the measuring process. */
  readonly file?: string | undefined;
}

/** Of every process that would like a core, and of those that would like the disk, it comes last. */
const niceness = 19;
/**
 * Those that need no file but those of the program, and no device. Others are confined when somebody has tried what they
 * need; one that is yet to be chosen may be any.
 */
const confinable: readonly string[] = ['ort-cpu', 'reference'];
/** While it starts: what trying executors may take beside the limit, of which nothing is used yet. */
const startingBytes = 1024 ** 3;

export type Ready = FromMeasuring & { kind: 'ready' };
type Outcome = Answer | ProcessEnd;

export const mayBeConfined = ({ executor = 'ort-cpu' }: EngineSettings): boolean => confinable.includes(executor);

/** A process that measures one snapshot at a time. It is of use until it has ended. */
export class MeasuringProcess {
  private readonly process: LimitedProcess;
  private settle: ((outcome: Outcome) => void) | undefined;
  private over: ProcessEnd | undefined;
  /** It was started so that the system confines it, where the system can. */
  readonly confined: boolean;
  /** What it says when it can measure; how it ended when it never could. */
  readonly ready: Promise<Ready | ProcessEnd>;

  constructor({ logger, engine, environment, file, jobFolders, scratch }: MeasuringProcessOptions) {
    this.confined = mayBeConfined(engine);
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
      firstToGo: true,
      ...(this.confined && {
        reach: { read: [...programFiles, ...jobFolders, ...(file === undefined ? [] : [file])], write: [scratch] },
      }),
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
