import { parametersOf, sizeOf, type Graph } from '#graph/index.js';
import type { DeviceTensor, Executor } from './executor.js';
import type { ProbeModel } from './probe-model.js';

export type ParameterLayout = ProbeModel['parameters'];

/** Where each parameter lies in the flat vector θ. */
export function layoutOf(graph: Graph): ParameterLayout {
  let offset = 0;
  return parametersOf(graph).map(({ name, shape }) => {
    const size = sizeOf(shape);
    if (size === undefined) throw new Error(`The parameter '${name}' has a free axis`);
    offset += size;
    return { name, shape: shape.map(Number), offset: offset - size, size };
  });
}

/** The parts of a flat vector as tensors of the parameters' shapes, under the given names. */
export function uploadParts<T extends DeviceTensor>(
  executor: Executor<T>,
  layout: ParameterLayout,
  vector: Float32Array,
  names: readonly string[],
): Record<string, T> {
  return Object.fromEntries(
    layout.map(({ shape, offset, size }, i) => [names[i]!, executor.upload(shape, vector.subarray(offset, offset + size))]),
  );
}

/** Adds up flat vectors that come in parts and in chunks, in double precision, and answers their mean over examples. */
export class FlatSum {
  readonly #layout: ParameterLayout;
  readonly #sum: Float64Array;

  constructor(layout: ParameterLayout) {
    this.#layout = layout;
    this.#sum = new Float64Array(layout.reduce((size, part) => size + part.size, 0));
  }

  add(parts: readonly (Float32Array | Float64Array)[]): void {
    for (const [i, { offset, size }] of this.#layout.entries()) {
      const part = parts[i]!;
      for (let j = 0; j < size; j++) this.#sum[offset + j]! += part[j]!;
    }
  }

  mean(examples: number): Float32Array {
    const out = new Float32Array(this.#sum.length);
    for (let i = 0; i < out.length; i++) out[i] = this.#sum[i]! / examples;
    return out;
  }
}
