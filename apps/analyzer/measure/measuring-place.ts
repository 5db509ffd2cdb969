import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { describeEnd, type ProcessEnd } from '#runtime/processes/limited-process.js';
import { Stopped } from '../weather.js';
import { BusyDeadline } from './busy-deadline.js';
import { MeasurerCrashed } from './measurer.js';
import { mayBeConfined, MeasuringProcess, type Ready } from './measuring-process.js';
import type { Answer, EngineSettings, JobMessage } from './messages.js';

export interface MeasuringPlaceOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Asked for each new process. */
  readonly engine: () => EngineSettings;
  readonly jobFolders: readonly string[];
  readonly scratch: string;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Of one measurement. */
  readonly deadlineMs: number;
  /** A process that has had nothing to do for so long gives back its memory. */
  readonly idleMs: number;
  readonly file?: string | undefined;
  readonly started: (ready: Ready) => void;
}

/** Executors are tried meanwhile, and some take long to load. */
const startDeadlineMs = 120_000;
/** A process that ends before it has begun was not ended by a snapshot, unless this happens every time. */
const maxStarts = 3;

type EndLabel = 'memory' | 'deadline' | 'crash' | 'stopped' | 'chosen' | 'idle' | 'closed';

/** Where one snapshot at a time is measured: by a process that starts when it is needed and is replaced when it has ended. */
export class MeasuringPlace {
  private process: MeasuringProcess | undefined;
  private idle: NodeJS.Timeout | undefined;
  private label: EndLabel | undefined;

  constructor(private readonly options: MeasuringPlaceOptions) {}

  get residentBytes(): number {
    return this.process?.residentBytes ?? 0;
  }

  /** Throws {@link MeasurerCrashed} and {@link Stopped}. */
  async measure(message: JobMessage, signal: AbortSignal): Promise<Answer> {
    clearTimeout(this.idle);
    const stop = (): void => void this.end('stopped', 'nobody waits for it any more');
    signal.addEventListener('abort', stop);
    try {
      if (signal.aborted) throw new Stopped('measure');
      const process = await this.open(signal);
      const outcome = await this.within(this.options.deadlineMs, process, process.ask(message));
      if (!isEnd(outcome)) return outcome;
      if (signal.aborted) throw new Stopped('measure');
      throw new MeasurerCrashed(describeEnd(outcome));
    } finally {
      signal.removeEventListener('abort', stop);
      this.idle = setTimeout(() => void this.end('idle', 'there is nothing to measure'), this.options.idleMs);
      this.idle.unref();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.idle);
    await this.end('closed', 'the service closes');
  }

  private async open(signal: AbortSignal): Promise<MeasuringProcess> {
    for (let starts = 1; ; starts++) {
      const process = (this.process ??= this.start());
      const outcome = await this.within(startDeadlineMs, process, process.ready);
      if (!isEnd(outcome)) {
        if (!this.hasChosen(process, outcome)) return process;
        await this.end('chosen', 'it has chosen an executor');
        starts--;
        continue;
      }
      if (signal.aborted) throw new Stopped('measure');
      if (starts === maxStarts) throw new MeasurerCrashed(`it could not start: ${describeEnd(outcome)}`);
    }
  }

  /** One that tried executors had to be free to open any; what it has chosen measures in a process that is confined. */
  private hasChosen(process: MeasuringProcess, { executor }: Ready): boolean {
    return !process.confined && mayBeConfined({ ...this.options.engine(), executor });
  }

  private start(): MeasuringProcess {
    const { engine, metrics, started } = this.options;
    const process = new MeasuringProcess({ ...this.options, engine: engine() });
    this.label = undefined;
    metrics.measuringProcessStarts.inc();
    void process.ready.then((outcome) => isEnd(outcome) || started(outcome));
    void process.end.then((end) => this.ended(process, end));
    return process;
  }

  private ended(process: MeasuringProcess, end: ProcessEnd): void {
    if (this.process !== process) return;
    this.process = undefined;
    const label = this.label ?? (end.kind === 'memory' ? 'memory' : 'crash');
    this.options.metrics.measuringProcessEnds.inc({ reason: label });
    const text = `the measuring process ended: ${describeEnd(end)}`;
    if (label === 'crash' || label === 'memory' || label === 'deadline') {
      this.options.logger.error({ pid: process.pid }, `${text}; the next measurement starts a new one`);
    } else this.options.logger.debug({ pid: process.pid }, text);
  }

  private async end(label: EndLabel, reason: string): Promise<void> {
    this.label ??= label;
    await this.process?.stop(reason);
  }

  private async within<T>(deadlineMs: number, { pid }: MeasuringProcess, work: Promise<T>): Promise<T> {
    if (pid === undefined) return work;
    const seconds = deadlineMs / 1000;
    const late = (): void => void this.end('deadline', `it was not done after ${seconds} s, its time limit`);
    const deadline = new BusyDeadline(pid, deadlineMs, late);
    try {
      return await work;
    } finally {
      deadline.clear();
    }
  }
}

const ends: readonly string[] = ['exited', 'signal', 'memory', 'ended'] satisfies readonly ProcessEnd['kind'][];
const isEnd = <T extends { readonly kind: string }>(outcome: T | ProcessEnd): outcome is ProcessEnd =>
  ends.includes(outcome.kind);
