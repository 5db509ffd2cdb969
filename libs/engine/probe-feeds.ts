import type { DeviceTensor, Executor } from './executor.js';
import { partOf, type FeedableProbeSet } from './probe-set.js';

/** The examples of a probe set as tensors, chunk by chunk. */
export class ProbeFeeds<T extends DeviceTensor> {
  readonly chunks: number;

  constructor(
    private readonly executor: Executor<T>,
    private readonly probeSet: FeedableProbeSet,
    private readonly chunkExamples: number,
  ) {
    this.chunks = Math.ceil(probeSet.examples / chunkExamples);
  }

  /** Whoever asks releases them. */
  chunk(index: number): Readonly<Record<string, T>> {
    const from = index * this.chunkExamples;
    const to = Math.min(this.probeSet.examples, from + this.chunkExamples);
    return Object.fromEntries(
      this.probeSet.inputs.map((rows) => {
        const data = partOf(rows, from, to);
        return [rows.name, this.executor.upload([to - from, ...rows.shape], data, rows.dtype)];
      }),
    );
  }
}

export function releaseAll<T extends DeviceTensor>(executor: Executor<T>, tensors: Readonly<Record<string, T>>): void {
  for (const tensor of Object.values(tensors)) executor.release(tensor);
}
