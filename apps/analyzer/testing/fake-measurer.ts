import { allOff, type MeasureJob, type Measurer, type MeasureResult } from '../measure/measurer.js';

/**
 * Reads the sharpness and the loss out of the snapshot itself: its first two float32 numbers. Like a true tracker its
 * result depends, within a tolerance, on what the measurement before left.
 */
export class FakeMeasurer implements Measurer {
  readonly capacity = 1;
  readonly jobs: MeasureJob[] = [];
  /** Awaited before each measurement; throws to fail it. */
  before: (job: MeasureJob) => Promise<void> = () => Promise.resolve();

  async measure(job: MeasureJob): Promise<MeasureResult> {
    this.jobs.push(job);
    await this.before(job);
    const snapshot = await job.snapshot.read();
    const view = new DataView(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength);
    const warm = job.tracker === undefined ? 0 : new DataView(job.tracker.buffer, job.tracker.byteOffset).getFloat64(0);
    const sharpness = view.getFloat32(0, true) * (1 + 1e-4 * warm);
    const next = Buffer.alloc(8);
    next.writeDoubleBE(Math.sin(warm + sharpness));
    const threshold = 2 / job.learningRate;
    const values = {
      'loss.probe': view.getFloat32(4, true),
      sharpness,
      'sharpness.threshold': threshold,
      'edge.ratio': sharpness / threshold,
    };
    return {
      readings: Object.entries(values).map(([name, value]) => ({
        name,
        key: '',
        value,
        bound: Number.NaN,
        products: 5,
        seconds: 0,
        device: 'fake',
        probeDigest: job.model.train?.digest ?? '',
      })),
      instruments: Object.fromEntries(Object.keys(allOff('')).map((name) => [name, { on: true, reason: '' }])),
      tracker: next,
      check: job.check ? { ok: true, reason: '' } : undefined,
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
