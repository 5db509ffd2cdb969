import { join } from 'node:path';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import type { Logger } from '#runtime/logging.js';
import { packageRoot } from '#runtime/package-root.js';
import { MeasurerCrashed, type MeasureJob, type Measurer, type MeasureResult } from './measurer.js';
import type { FromWorker, ToWorker, WorkerSettings } from './messages.js';

export interface WorkerMeasurerOptions {
  readonly logger: Logger;
  readonly engine: WorkerSettings;
  /** How long the worker may take to come to an end by itself. */
  readonly patienceMs?: number;
  /** For tests. */
  readonly workerFile?: string;
}

interface Waiting {
  readonly job: MeasureJob;
  readonly resolve: (result: MeasureResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Measures in a worker thread, one snapshot at a time, in the order of asking: the event loop stays free for those who
 * send and look. The worker starts with the first measurement, keeps its models, and is started anew after a crash.
 */
export class WorkerMeasurer implements Measurer {
  readonly capacity = 1;
  private readonly waiting = new Map<number, Waiting>();
  private worker: Worker | undefined;
  private nextId = 1;
  private turn: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(private readonly options: WorkerMeasurerOptions) {}

  measure(job: MeasureJob): Promise<MeasureResult> {
    const turn = this.turn.then(() => this.send(job));
    this.turn = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.worker !== undefined) await this.end(this.worker);
    this.crashed(new MeasurerCrashed('the service closes'));
  }

  private async send(job: MeasureJob): Promise<MeasureResult> {
    const snapshot = await job.snapshot();
    if (this.closed) throw new MeasurerCrashed('the service closes');
    const worker = (this.worker ??= this.startWorker());
    const id = this.nextId++;
    const { artifact: _, ...rest } = job;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { job, resolve, reject });
      this.post(worker, { kind: 'measure', id, job: { ...rest, snapshot } });
    });
  }

  /**
   * The worker ends itself, between two steps of its work: a thread that is ended by force inside ONNX Runtime throws there,
   * where nobody catches it, and takes the whole process along.
   */
  private async end(worker: Worker): Promise<void> {
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    this.post(worker, { kind: 'close' });
    const force = setTimeout(() => void worker.terminate(), this.options.patienceMs ?? 30_000);
    await exited;
    clearTimeout(force);
  }

  private startWorker(): Worker {
    const file = this.options.workerFile ?? join(packageRoot, 'dist/apps/analyzer/measure/measure-worker.js');
    // Native libraries read the process's environment, which a worker of its own would only have a copy of.
    const worker = new Worker(file, { workerData: this.options.engine, env: SHARE_ENV });
    worker.on('message', (message: FromWorker) => this.received(worker, message));
    worker.on('error', (error) => this.ended(worker, error));
    worker.on('exit', (code) => this.ended(worker, new Error(`the worker ended with code ${code}`)));
    return worker;
  }

  private received(worker: Worker, message: FromWorker): void {
    const waiting = this.waiting.get(message.id);
    if (waiting === undefined) return;
    if (message.kind === 'artifact') {
      void this.answer(worker, message.request, waiting.job.artifact(message.digest));
      return;
    }
    this.waiting.delete(message.id);
    if (message.kind === 'measured') waiting.resolve(message.result);
    else waiting.reject(new Error(message.message));
  }

  private async answer(worker: Worker, request: number, bytes: Promise<Buffer>): Promise<void> {
    try {
      this.post(worker, { kind: 'artifact', request, bytes: await bytes, error: '' });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.post(worker, { kind: 'artifact', request, bytes: undefined, error: text });
    }
  }

  private post(worker: Worker, message: ToWorker): void {
    // A thread has no origin.
    worker.postMessage(message, []);
  }

  private ended(worker: Worker, error: Error): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    if (!this.closed)
      this.options.logger.error({ err: error }, 'the measuring worker ended; the next measurement starts a new one');
    this.crashed(new MeasurerCrashed(error.message, { cause: error }));
  }

  private crashed(error: MeasurerCrashed): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
