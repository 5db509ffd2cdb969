import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '#math/random.js';
import { packageRoot } from '#runtime/package-root.js';

export interface Workload {
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly mean: number;
    readonly deviation: number;
  }[];
  /** `below`: whole numbers from 0 up to that. */
  readonly x: { readonly shape: readonly number[]; readonly below?: number };
  readonly y: { readonly shape: readonly number[]; readonly classes: number };
}

const folder = join(packageRoot, 'test/bench/engine');
export const vectorCount = 4;

export const workloads = JSON.parse(readFileSync(join(folder, 'workloads.json'), 'utf8')) as Readonly<Record<string, Workload>>;
export const modelFile = (name: string): string => join(folder, 'models', `${name}.onnx`);
export const size = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);

export function workloadNamed(name: string): Workload {
  const workload = workloads[name];
  if (workload === undefined) throw new Error(`There is no workload '${name}': ${Object.keys(workloads).join(', ')}`);
  return workload;
}

/** The same weights, data and vectors for every contender, as raw files. */
export function writeNumbers(name: string, into: string): void {
  const { parameters, x, y } = workloadNamed(name);
  const random = createRandom(1);
  const normal = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal());
  const whole = (count: number, below: number): BigInt64Array =>
    BigInt64Array.from({ length: count }, () => BigInt(random.integer(below)));
  const weights = parameters.map(({ shape, mean, deviation }) => normal(size(shape)).map((z) => mean + deviation * z));
  const count = weights.reduce((sum, { length }) => sum + length, 0);
  const theta = new Float32Array(count);
  let offset = 0;
  for (const part of weights) {
    theta.set(part, offset);
    offset += part.length;
  }
  const files = {
    theta,
    vectors: normal(vectorCount * count),
    x: x.below === undefined ? normal(size(x.shape)) : whole(size(x.shape), x.below),
    y: whole(size(y.shape), y.classes),
  };
  mkdirSync(into, { recursive: true });
  for (const [file, data] of Object.entries(files)) {
    writeFileSync(join(into, `${file}.bin`), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
}
