import { mkdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { BlobMissing } from '#blobs/blobs.js';
import { cudaDevices, usesCuda } from '#engine/executors/gpu.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { PeriodicTask } from '#runtime/periodic.js';
import { Stopped } from '../weather.js';
import type { MeasureJob, Measurer, MeasureResult } from './measurer.js';
import { MeasuringPlace } from './measuring-place.js';
import type { Ready } from './measuring-process.js';
import type { EngineSettings, JobFiles } from './messages.js';
import { withFiles } from './stored-bytes.js';

export interface ProcessMeasurerOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly engine: EngineSettings;
  /** At the same time; without it one on the CPU, and one for each graphics card that is found to be used. */
  readonly processes: number | undefined;
  readonly deadlineMs: number;
  /** A folder of its own, emptied now: whoever used it before was killed. */
  readonly scratch: string;
  /** Where the files of jobs lie: what a process may read beside its program. */
  readonly jobFolders?: readonly string[];
  readonly idleMs?: number;
  /** Another program than that of the measuring process. */
  readonly file?: string;
}

/** Models have to be compiled anew afterwards; a run whose snapshots are further apart does not mind that. */
const defaultIdleMs = 5 * 60_000;
const gaugeEveryMs = 2000;

/**
 * Measures in processes with a memory limit, a deadline and the lowest priority, so that a fault of a native library, an
 * endless loop or a gigabyte too much ends a measurement and nothing else. A process starts with the first measurement, keeps
 * its models, and is replaced when it has ended.
 */
export class ProcessMeasurer implements Measurer {
  private readonly places: MeasuringPlace[] = [];
  private readonly free: MeasuringPlace[] = [];
  private readonly waiting: ((place: MeasuringPlace) => void)[] = [];
  private readonly closing = new AbortController();
  private readonly gauge: PeriodicTask;
  private executor: string | undefined;
  private lastId = 0;

  constructor(private readonly options: ProcessMeasurerOptions) {
    rmSync(options.scratch, { recursive: true, force: true });
    mkdirSync(options.scratch, { recursive: true });
    const { logger, metrics, processes = 1 } = options;
    for (let i = 0; i < processes; i++) this.add();
    this.gauge = new PeriodicTask({ name: 'measuring gauge', intervalMs: gaugeEveryMs, logger }, async () =>
      metrics.measuringResidentBytes.set(this.places.reduce((sum, place) => sum + place.residentBytes, 0)),
    );
  }

  get capacity(): number {
    return this.places.length;
  }

  async measure(job: MeasureJob, signal: AbortSignal): Promise<MeasureResult> {
    const ending = linked(signal, this.closing.signal);
    try {
      const place = await this.take(ending.signal);
      try {
        return await withFiles(this.options.scratch, job, (files) => this.measureAt(place, job, files, ending.signal));
      } finally {
        this.give(place);
      }
    } finally {
      ending.unlink();
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.gauge.close();
    await Promise.all(this.places.map((place) => place.close()));
  }

  private async measureAt(place: MeasuringPlace, job: MeasureJob, files: JobFiles, signal: AbortSignal): Promise<MeasureResult> {
    const { metrics } = this.options;
    const { snapshot: _, artifact: __, tracker: ___, ...task } = job;
    this.gauge.start();
    metrics.measurementsUnderWay.inc();
    try {
      const answer = await place.measure({ id: ++this.lastId, task, files }, signal);
      if (answer.kind === 'missing') throw new BlobMissing(`there is no file ${answer.path}`);
      if (answer.kind === 'failed') throw new Error(answer.message);
      return { ...answer.result, tracker: answer.tracker ? await readFile(files.trackerAfter) : undefined };
    } finally {
      metrics.measurementsUnderWay.dec();
    }
  }

  private async take(signal: AbortSignal): Promise<MeasuringPlace> {
    if (signal.aborted) throw new Stopped('measure');
    const place = this.free.shift();
    if (place !== undefined) return place;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.waiting.splice(this.waiting.indexOf(turn), 1);
        reject(new Stopped('measure'));
      };
      const turn = (next: MeasuringPlace): void => {
        signal.removeEventListener('abort', stop);
        resolve(next);
      };
      this.waiting.push(turn);
      signal.addEventListener('abort', stop);
    });
  }

  private give(place: MeasuringPlace): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free.push(place);
    else next(place);
  }

  private add(device?: string): void {
    const { logger, metrics, engine, deadlineMs, scratch, jobFolders = [], idleMs = defaultIdleMs, file } = this.options;
    const place = new MeasuringPlace({
      logger,
      metrics,
      // Whatever the first process chose, the others need not try again.
      engine: () => ({ ...engine, ...(this.executor !== undefined && { executor: this.executor }) }),
      environment: device === undefined ? undefined : { CUDA_VISIBLE_DEVICES: device },
      deadlineMs,
      scratch,
      jobFolders,
      idleMs,
      file,
      started: (ready) => this.started(ready),
    });
    this.places.push(place);
    this.give(place);
  }

  /** The first place computes on the first graphics card; each of the others gets a place of its own. */
  private started({ executor }: Ready): void {
    if (this.executor !== undefined) return;
    this.executor = executor;
    if (this.options.processes !== undefined || !usesCuda(executor)) return;
    for (const device of cudaDevices().slice(1)) this.add(device);
  }
}

/** One signal for two, which is held by both as long as it is needed. */
function linked(...signals: readonly AbortSignal[]): { readonly signal: AbortSignal; readonly unlink: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  for (const signal of signals) {
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
  }
  return {
    signal: controller.signal,
    unlink: () => {
      for (const signal of signals) signal.removeEventListener('abort', abort);
    },
  };
}
