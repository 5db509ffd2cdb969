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

export type Parts = readonly (Float32Array | Float64Array)[];

/** Adds up vectors that come in parts and in chunks; in double when there are several. */
export class PartSums {
  #first: Parts | undefined;
  #sums: readonly Float64Array[] | undefined;

  get parts(): Parts {
    return this.#sums ?? this.#first ?? [];
  }

  add(parts: Parts): void {
    if (this.#first === undefined) {
      this.#first = parts;
      return;
    }
    const sums = (this.#sums ??= this.#first.map((part) => Float64Array.from(part)));
    for (const [i, sum] of sums.entries()) {
      const part = parts[i]!;
      for (let j = 0; j < sum.length; j++) sum[j]! += part[j]!;
    }
  }
}

/** The parts as one flat vector, divided by `divisor`. */
export function flatten(layout: ParameterLayout, parts: Parts, divisor: number): Float32Array {
  const out = new Float32Array(layout.reduce((size, part) => size + part.size, 0));
  for (const [i, { offset, size }] of layout.entries()) {
    const part = parts[i]!;
    for (let j = 0; j < size; j++) out[offset + j] = part[j]! / divisor;
  }
  return out;
}

/** In double precision. */
export function total(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum;
}

/** Of numbers whose order matters, at most `size` at a time. */
export function inGroups<V>(items: readonly V[], size: number): { readonly from: number; readonly items: readonly V[] }[] {
  const groups = [];
  for (let from = 0; from < items.length; from += size) groups.push({ from, items: items.slice(from, from + size) });
  return groups;
}
