import { readSnapshot } from '#engine/index.js';
import { StagewatchError } from '#runtime/errors.js';
import { allOff, type MeasureJob, type Measurer, type MeasureResult } from './measurer.js';
import { measureTheta } from './measure-theta.js';
import type { EngineSettings } from './messages.js';
import { ModelCache } from './model-cache.js';

/** Measures snapshots in the process that it is called in. A model or a snapshot that cannot be measured is a result. */
export class SnapshotMeter implements Measurer {
  readonly capacity = 1;
  private readonly models: ModelCache;

  constructor(settings: EngineSettings) {
    this.models = new ModelCache(settings);
  }

  async measure(job: MeasureJob): Promise<MeasureResult> {
    try {
      const cached = await this.models.model(job);
      const theta = readSnapshot(await job.snapshot.read(), job.tensors, cached.model.parameters);
      return await measureTheta(cached, theta, job);
    } catch (error) {
      if (!(error instanceof StagewatchError)) throw error;
      return { readings: [], instruments: allOff(sentence(error)), tracker: undefined, check: undefined };
    }
  }

  close(): Promise<void> {
    return this.models.close();
  }
}

function sentence({ message, detail }: StagewatchError): string {
  const place = detail.field === undefined ? '' : ` (${detail.field})`;
  const expected = detail.expected === undefined ? '' : `, expected ${detail.expected}`;
  return `${message}${place}${expected}`;
}
