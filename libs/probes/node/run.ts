import { packTensors, type NamedTensor } from '#wire/tensors.js';
import { Cadence } from './cadence.js';
import type { DrainReport, FromSender, ToSender } from './messages.js';
import { defaults, senderOptions, type AttachOptions } from './options.js';
import { ScalarBuffer } from './scalar-buffer.js';
import { startSender, type SenderHost } from './sender-host.js';

/** Points that wait for company, and for how long. */
const flushPoints = 500;
const flushMs = 200;
/** What a process that calls `process.exit` may wait, without its event loop, for the last records. */
const exitDrainMs = 3000;

/** Numbers of one step. `loss` is sent as `loss.train`; other names as they are. NaN and infinities are data. */
export interface StepValues {
  /** Default: one more than the last. */
  readonly step?: number;
  readonly loss?: number;
  /** As used for the update of this step. */
  readonly lr?: number;
  /**
   * The parameters before the update of this step, in the order of the model's parameters. Called only when a snapshot is
   * due, and copied before `step` returns.
   */
  readonly snapshot?: () => readonly NamedTensor[];
  readonly [name: string]: number | undefined | (() => readonly NamedTensor[]);
}

export interface AttachedRun {
  readonly runId: string;
  readonly attempt: number;
  readonly pageUrl: string;
}

/** A run that is being watched. Nothing in here throws, waits or grows without bound. */
export interface Run {
  /** Resolves when the service knows the run; to undefined when it never will. */
  readonly attached: Promise<AttachedRun | undefined>;
  /** Whether `step` would take a snapshot now. */
  snapshotDue(step?: number): boolean;
  step(values: StepValues): void;
  /** Ends the run and waits until everything is delivered, but not longer than `drainMs`. */
  end(status?: 'finished' | 'failed' | 'interrupted', message?: string): Promise<DrainReport>;
}

/** Starts to watch a training run; connects in the background, whether the service is there or not. */
export function attach(options: AttachOptions): Run {
  const warn = options.warn ?? ((text: string) => void process.stderr.write(`stagewatch: ${text}\n`));
  try {
    return new WatchedRun(options, warn);
  } catch (error) {
    warn(`this run is not watched: ${error instanceof Error ? error.message : String(error)}`);
    return {
      attached: Promise.resolve(undefined),
      snapshotDue: () => false,
      step: () => undefined,
      end: () => Promise.resolve(nothing),
    };
  }
}

const nothing: DrainReport = { delivered: false, undelivered: 0 };

class WatchedRun implements Run {
  readonly attached: Promise<AttachedRun | undefined>;
  private readonly host: SenderHost;
  private readonly scalars = new ScalarBuffer();
  private readonly cadence: Cadence;
  private readonly memoryBytes: number;
  private readonly drainMs: number;
  private nextStep: number;
  private learningRate: number;
  private timer: NodeJS.Timeout | undefined;
  private off = false;
  private measured: boolean;
  private ending: Promise<DrainReport> | undefined;
  private resolveAttached: (run: AttachedRun | undefined) => void = () => undefined;
  private resolveEnd: (report: DrainReport) => void = () => undefined;
  private warnedOf = new Set<string>();

  constructor(
    options: AttachOptions,
    private readonly warn: (text: string) => void,
  ) {
    this.nextStep = options.firstStep ?? 0;
    this.cadence = new Cadence(this.nextStep, options.snapshotEvery);
    this.memoryBytes = options.memoryBytes ?? defaults.memoryBytes;
    this.drainMs = options.drainMs ?? defaults.drainMs;
    this.learningRate = options.optimizer.learningRate;
    this.measured = options.model !== undefined && options.train !== undefined;
    this.attached = new Promise((resolve) => (this.resolveAttached = resolve));
    this.host = startSender(senderOptions(options), (message) => this.hear(message));
    process.once('beforeExit', this.beforeExit);
    process.once('exit', this.atExit);
  }

  snapshotDue(step = this.nextStep): boolean {
    return !this.off && this.measured && this.cadence.due(step) !== undefined;
  }

  step(values: StepValues): void {
    const step = values.step ?? this.nextStep;
    this.nextStep = step + 1;
    if (this.off || this.ending !== undefined) return;
    try {
      if (!Number.isSafeInteger(step) || step < 0) throw new RangeError(`a step is a whole number from 0 on, not ${step}`);
      this.log(step, values);
    } catch (error) {
      this.warnOnce(error);
    }
  }

  end(status: 'finished' | 'failed' | 'interrupted' = 'finished', message = ''): Promise<DrainReport> {
    this.ending ??= this.finish(status, message);
    return this.ending;
  }

  private log(step: number, values: StepValues): void {
    if (values.lr !== undefined) this.learningRate = values.lr;
    for (const name of Object.keys(values)) {
      const value = values[name];
      if (typeof value === 'number' && name !== 'step') this.scalars.add(name === 'loss' ? 'loss.train' : name, step, value);
    }
    if (values.snapshot !== undefined && this.measured) this.snapshot(step, values.snapshot);
    if (this.scalars.length >= flushPoints) this.flush();
    else this.timer ??= setTimeout(this.flush, flushMs).unref();
  }

  private snapshot(step: number, tensors: () => readonly NamedTensor[]): void {
    const reason = this.cadence.due(step);
    if (reason === undefined) return;
    this.cadence.taken(step);
    const { blob, layout } = packTensors(tensors());
    // Points of earlier steps go before it.
    this.flush();
    const bytes = new Uint8Array(blob);
    this.post({ kind: 'snapshot', step, blob: bytes, layout, learningRate: this.learningRate, reason }, [bytes.buffer]);
  }

  private readonly flush = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    const points = this.scalars.take();
    if (points !== undefined) this.post(points);
  };

  private post(message: ToSender, transfer: ArrayBuffer[] = []): void {
    const isSnapshot = message.kind === 'snapshot';
    const bytes = isSnapshot ? message.blob.byteLength : 0;
    if (this.host.pendingBytes() + bytes <= this.memoryBytes) return this.host.post(message, transfer);
    // The sender does not get to run, or not fast enough: say so, and go on training.
    const points = message.kind === 'points' ? message.values.length : 0;
    this.host.post({ kind: 'lost', step: message.step, points, snapshots: isSnapshot ? 1 : 0, reason: 'memory' });
  }

  private hear(message: FromSender): void {
    switch (message.kind) {
      case 'attached':
        return this.resolveAttached({ runId: message.runId, attempt: message.attempt, pageUrl: message.pageUrl });
      case 'warning':
        return this.warn(message.text);
      case 'snapshot-now':
        return this.cadence.askNow(message.reason);
      case 'cadence':
        return this.cadence.change(message.cadence);
      case 'unmeasured':
        this.measured = false;
        return;
      case 'off':
        this.off = true;
        this.resolveAttached(undefined);
        this.resolveEnd(nothing);
        return;
      case 'ended':
        this.resolveEnd(message.report);
        return;
    }
  }

  private async finish(status: string, message: string): Promise<DrainReport> {
    process.removeListener('beforeExit', this.beforeExit);
    process.removeListener('exit', this.atExit);
    this.flush();
    this.host.hold();
    const ended = new Promise<DrainReport>((resolve) => (this.resolveEnd = resolve));
    if (this.off) return nothing;
    this.host.post({ kind: 'end', step: this.nextStep - 1, status, message, drainMs: this.drainMs });
    const report = await ended;
    await this.host.close();
    if (!report.delivered) this.warn(`${report.undelivered} records were not delivered`);
    return report;
  }

  /** Training is over and nobody said so. */
  private readonly beforeExit = (): void => {
    void this.end('finished');
  };

  /** The process goes at once: by an error, or by `process.exit`. */
  private readonly atExit = (code: number): void => {
    if (this.ending !== undefined || this.off) return;
    try {
      this.flush();
      const status = code === 0 ? 'finished' : 'failed';
      this.host.post({ kind: 'end', step: Math.max(0, this.nextStep - 1), status, message: '', drainMs: exitDrainMs });
      this.host.waitForEnd(exitDrainMs);
    } catch {
      // Nobody is left to hear of it.
    }
  };

  private warnOnce(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    if (this.warnedOf.has(text) || this.warnedOf.size > 100) return;
    this.warnedOf.add(text);
    this.warn(text);
  }
}
