import { readFileSync } from 'node:fs';
import { readNpz, writeNpz } from '#engine/index.js';
import { packageRoot } from '#runtime/package-root.js';
import { packTensors } from '#wire/tensors.js';
import type { MeasureJob, StoredBytes } from '../measure/measurer.js';

/** PyTorch's own numbers of a model in `test/golden/onnx`. */
export interface Golden {
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly theta: readonly number[];
  readonly x: { readonly shape: readonly number[]; readonly data: readonly number[] };
  readonly y: { readonly shape: readonly number[]; readonly data: readonly number[] };
  readonly loss: number;
  readonly gradient: readonly number[];
}

export const goldenFolder = `${packageRoot}/test/golden/onnx`;

export const readGolden = (name: string): Golden => JSON.parse(readFileSync(`${goldenFolder}/${name}.json`, 'utf8')) as Golden;

const repeated = <T>(items: readonly T[], times: number): T[] => Array.from({ length: times }, () => items).flat();

/**
 * A small classifier as PyTorch exported it, with PyTorch's own numbers, as a job for the measurer; its examples several times
 * over, which changes none of them.
 */
export function goldenModel(name = 'tanh-classes', times = 1): { readonly golden: Golden; readonly job: MeasureJob } {
  const golden = readGolden(name);
  const examples = times * golden.x.shape[0]!;
  const shapeOf = ({ shape: [, ...rest] }: { readonly shape: readonly number[] }): number[] => [examples, ...rest];
  const probe = writeNpz({
    x: { dtype: 'float32', shape: shapeOf(golden.x), data: Float32Array.from(repeated(golden.x.data, times)) },
    y: { dtype: 'int64', shape: shapeOf(golden.y), data: BigInt64Array.from(repeated(golden.y.data, times), BigInt) },
  });
  // What a probe sends must be readable before anything else is.
  readNpz(probe, { wanted: ['x', 'y'] });
  const artifacts: Readonly<Record<string, Uint8Array>> = { graph: readFileSync(`${goldenFolder}/${name}.onnx`), probe };
  const { blob, layout } = snapshotOf(golden);
  return {
    golden,
    job: {
      run: 'r',
      step: 0,
      model: {
        format: 'MODEL_FORMAT_ONNX',
        graphDigest: 'graph',
        parameters: golden.parameters.map((parameter) => parameter.name),
        train: { digest: 'probe', examples, classNames: [] },
        val: null,
        referenceLoss: golden.loss,
        referenceGradientNorm: Math.hypot(...golden.gradient),
        referenceStep: 0,
        aliases: {},
        unused: [],
        unmeasured: '',
        noisyTraining: false,
      },
      loss: { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false },
      optimizer: {
        name: 'sgd',
        momentum: 0,
        dampening: 0,
        nesterov: false,
        beta1: 0,
        beta2: 0,
        epsilon: 0,
        weightDecay: 0,
        decoupledDecay: false,
      },
      learningRate: 0.5,
      snapshot: inMemory(blob),
      tensors: layout,
      tracker: undefined,
      check: true,
      curvatureOff: undefined,
      artifact: (digest) => inMemory(artifacts[digest]!),
    },
  };
}

export const inMemory = (bytes: Uint8Array): StoredBytes => ({ path: undefined, read: () => Promise.resolve(bytes) });

function snapshotOf({ parameters, theta }: Golden): ReturnType<typeof packTensors> {
  let at = 0;
  return packTensors(
    parameters.map(({ name, shape }) => {
      const size = shape.reduce((product, dim) => product * dim, 1);
      const data = Float32Array.from(theta.slice(at, at + size));
      at += size;
      return { name, shape, data };
    }),
  );
}
