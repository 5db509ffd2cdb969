/** Reads what make.py wrote: a network's structure, and PyTorch's own numbers. Parameters and examples come of a seed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NpyArray, ProbeSet } from '#engine/index.js';
import { attachLoss, importOnnx, type Graph, type LossSpec } from '#graph/index.js';
import { uniform } from '#graph/testing/numbers.js';

interface Sampled {
  readonly norm: number;
  readonly values: readonly number[];
}

export interface Golden {
  /** The files, each with the parameters' names in it: of tied ones the exporter keeps one. */
  readonly files: readonly { readonly exporter: string; readonly parameters: readonly string[] }[];
  readonly train: boolean;
  readonly examples: number;
  readonly x: readonly number[];
  /** The vocabulary, where x is token ids. */
  readonly tokens: number;
  readonly y: readonly number[];
  readonly target: 'class' | 'token-class' | 'values';
  readonly classes: number;
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly loss: number;
  readonly gradient: Sampled;
  readonly product: Sampled;
}

const stored = import.meta.dirname;

export const readGolden = (name: string, folder = stored): Golden =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Golden;

const lossOf = (golden: Golden): LossSpec =>
  golden.target === 'values'
    ? { kind: 'mse', reduction: 'sum-outputs', halved: true }
    : { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false };

export function trainingGraph(name: string, exporter: string, golden: Golden, folder = stored): Graph {
  const parameters = golden.files.find((each) => each.exporter === exporter)?.parameters ?? [];
  return attachLoss(importOnnx(readFileSync(join(folder, `${name}.${exporter}.onnx`)), { parameters }), lossOf(golden));
}

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

const series = (seed: number, count: number, f: (u: number) => number): Float32Array => {
  const next = uniform(seed);
  return Float32Array.from({ length: count }, () => f(next()));
};

/** As `parameter_values` of make.py. */
function parameterValues(index: number, name: string, shape: readonly number[]): Float32Array {
  const isMatrix = shape.length > 1 && shape.every((size) => size > 0) && !shape.slice(1).every((size) => size === 1);
  const spread = Math.sqrt(3 / elements(shape.slice(1)));
  const isScale = name.endsWith('weight') || name.endsWith('scale');
  return series(1000 + index, elements(shape), (u) => (isMatrix ? u * spread : (isScale ? 1 : 0) + u / 4));
}

const joined = (parts: readonly Float32Array[]): Float32Array => {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => (all.set(part, offset), offset + part.length), 0);
  return all;
};

/** All parameters as one vector. */
export const thetaOf = ({ parameters }: Golden): Float32Array =>
  joined(parameters.map(({ name, shape }, i) => parameterValues(i, name, shape)));

/** The vector that the Hessian is multiplied with. */
export const vectorOf = ({ parameters }: Golden): Float32Array =>
  joined(parameters.map(({ shape }, i) => series(3000 + i, elements(shape), (u) => u)));

export function probeSetOf({ x, y, tokens, target, classes }: Golden): ProbeSet {
  const whole = (seed: number, shape: readonly number[], below: number): NpyArray => ({
    dtype: 'int64',
    shape,
    data: BigInt64Array.from(series(seed, elements(shape), (u) => Math.floor(((u + 1) / 2) * below)), BigInt),
  });
  const numbers = (seed: number, shape: readonly number[]): NpyArray => ({
    dtype: 'float32',
    shape,
    data: series(seed, elements(shape), (u) => u),
  });
  return {
    x: tokens > 0 ? whole(1, x, tokens) : numbers(1, x),
    y: target === 'values' ? numbers(2, y) : whole(2, y, classes),
  };
}

/** Of the norm, and of the coordinates that were stored. */
export function relativeErrors(actual: ArrayLike<number>, { norm, values }: Sampled): { norm: number; coordinates: number } {
  const found = Math.sqrt(Array.from(actual).reduce((sum, x) => sum + x * x, 0));
  let [difference, size] = [0, 0];
  values.forEach((expected, k) => {
    const x = actual[Math.floor((k * actual.length) / values.length)] ?? Number.NaN;
    difference += (x - expected) ** 2;
    size += expected ** 2;
  });
  return { norm: Math.abs(found / norm - 1), coordinates: Math.sqrt(difference / size) };
}

const names = [
  'mlp',
  'lenet',
  'vgg',
  'vgg-norm-train',
  'vgg-norm-eval',
  'resnet18-train',
  'resnet18-eval',
  'mobilenet-train',
  'mobilenet-eval',
  'gated-train',
  'gated-eval',
  'convnext',
  'vit',
  'gpt',
  'gpt-attention',
  'lstm',
  'lstm-state',
  'gru',
  'rnn',
  'rnn-relu',
  'norms',
];

/** Every network by every exporter that writes it right. */
export const cases = names.flatMap((name) => {
  const golden = readGolden(name);
  return golden.files.map(({ exporter }) => ({ name, exporter, golden }));
});

/** The old exporter writes √2 and its like in single precision where it takes GELU apart. */
const rounded = new Set(['mlp.old', 'convnext.old', 'vit.old', 'gpt.old', 'gpt-attention.old']);

export function toleranceOf(name: string, exporter: string): number {
  // Central differences are no closer, and the slope 1/6 of hard-sigmoid comes in single precision.
  if (name.startsWith('gated')) return 1e-7;
  return rounded.has(`${name}.${exporter}`) ? 1e-7 : 1e-9;
}
