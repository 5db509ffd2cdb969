import { inputsOf, isFree, type Graph, type GraphInput } from '#graph/index.js';
import { createRandom, normalVector, type Random } from '#math/random.js';
import type { NpyArray } from './npy.js';
import type { ProbeSet } from './probe-set.js';

/** Made-up examples of the right shapes: good for timing a model, and for nothing that is said about its training. */
export function randomProbeSet(training: Graph, examples: number, seed: number): ProbeSet {
  const random = createRandom(seed);
  const data = inputsOf(training, 'data');
  const arrays = data.map((input) => [input.name, arrayFor(input, examples, random)] as const);
  const [target] = inputsOf(training, 'target');
  const y: NpyArray =
    target === undefined
      ? { dtype: 'float32', shape: [examples], data: new Float32Array(examples) }
      : targetFor(target, examples, random);
  const x = arrays[0]?.[1] ?? y;
  return data.length > 1 ? { x, y, inputs: Object.fromEntries(arrays) } : { x, y };
}

function sizesOf(shape: GraphInput['shape'], examples: number): number[] {
  return shape.map((dim) => (isFree(dim) ? examples : dim));
}

function arrayFor({ shape, dtype }: GraphInput, examples: number, random: Random): NpyArray {
  const sizes = sizesOf(shape, examples);
  const count = sizes.reduce((product, size) => product * size, 1);
  // Every table has two rows.
  return dtype === 'float32'
    ? { dtype, shape: sizes, data: normalVector(count, random) }
    : { dtype: 'int64', shape: sizes, data: BigInt64Array.from({ length: count }, () => BigInt(random.integer(2))) };
}

function targetFor(target: GraphInput, examples: number, random: Random): NpyArray {
  if (target.classes === undefined) return arrayFor(target, examples, random);
  const shape = sizesOf(target.encoding === 'one-hot' ? target.shape.slice(0, -1) : target.shape, examples);
  const count = shape.reduce((product, size) => product * size, 1);
  const classes = BigInt64Array.from({ length: count }, () => BigInt(random.integer(target.classes!)));
  return { dtype: 'int64', shape, data: classes };
}
