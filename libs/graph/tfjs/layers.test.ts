import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { linearize } from '../linearize.js';
import { inputsOf } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { referenceLinearization } from '../testing/hessian.js';
import { differences, randomTensor, uniform } from '../testing/numbers.js';
import { importTfjsLayers } from './import.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const EXAMPLES = 3;
const L = layers.layers;
const random = { biasInitializer: 'randomNormal' } as const;
// The usual one needs more of tfjs than is loaded here.
const mild = { recurrentInitializer: 'glorotNormal' } as const;
type Layer = layers.layers.Layer;

/** Sequential: the first layer says the shape of the data. */
const cases: readonly (readonly [string, readonly number[], () => Layer[]])[] = [
  ['Conv1D', [7, 2], () => [L.conv1d({ filters: 3, kernelSize: 3, strides: 2, inputShape: [7, 2], ...random })]],
  [
    'Conv1D, same, dilated',
    [7, 2],
    () => [L.conv1d({ filters: 3, kernelSize: 3, padding: 'same', dilationRate: 2, inputShape: [7, 2] })],
  ],
  [
    'Conv2D',
    [6, 5, 2],
    () => [L.conv2d({ filters: 3, kernelSize: [3, 2], strides: [2, 1], activation: 'relu', inputShape: [6, 5, 2], ...random })],
  ],
  [
    'Conv2D, same',
    [6, 5, 2],
    () => [L.conv2d({ filters: 3, kernelSize: 4, strides: 2, padding: 'same', useBias: false, inputShape: [6, 5, 2] })],
  ],
  [
    'Conv2DTranspose',
    [3, 4, 2],
    () => [L.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, inputShape: [3, 4, 2], ...random })],
  ],
  [
    'Conv2DTranspose, same',
    [3, 4, 2],
    () => [L.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: 'same', inputShape: [3, 4, 2] })],
  ],
  [
    'DepthwiseConv2D',
    [5, 5, 2],
    () => [L.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, padding: 'same', inputShape: [5, 5, 2], ...random })],
  ],
  ['SeparableConv2D', [5, 5, 2], () => [L.separableConv2d({ filters: 3, kernelSize: 3, inputShape: [5, 5, 2], ...random })]],
  ['MaxPooling1D', [7, 2], () => [L.maxPooling1d({ poolSize: 3, strides: 2, padding: 'same', inputShape: [7, 2] })]],
  ['MaxPooling2D', [5, 6, 2], () => [L.maxPooling2d({ poolSize: 2, inputShape: [5, 6, 2] })]],
  [
    'AveragePooling2D, same',
    [5, 6, 2],
    () => [L.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same', inputShape: [5, 6, 2] })],
  ],
  ['AveragePooling1D', [6, 2], () => [L.averagePooling1d({ poolSize: 2, inputShape: [6, 2] })]],
  ['GlobalAveragePooling1D', [4, 3], () => [L.globalAveragePooling1d({ inputShape: [4, 3] })]],
  ['GlobalAveragePooling2D', [4, 3, 2], () => [L.globalAveragePooling2d({ inputShape: [4, 3, 2] })]],
  ['GlobalMaxPooling1D', [4, 3], () => [L.globalMaxPooling1d({ inputShape: [4, 3] })]],
  ['GlobalMaxPooling2D', [4, 3, 2], () => [L.globalMaxPooling2d({ inputShape: [4, 3, 2] })]],
  [
    'LayerNormalization',
    [4, 3],
    () => [L.layerNormalization({ inputShape: [4, 3], gammaInitializer: 'randomNormal', betaInitializer: 'randomNormal' })],
  ],
  [
    'ZeroPadding2D',
    [3, 2, 2],
    () => [
      L.zeroPadding2d({
        padding: [
          [1, 2],
          [0, 3],
        ],
        inputShape: [3, 2, 2],
      }),
    ],
  ],
  ['Permute', [3, 2, 4], () => [L.permute({ dims: [3, 1, 2], inputShape: [3, 2, 4] })]],
  ['LSTM', [4, 3], () => [L.lstm({ ...mild, units: 2, inputShape: [4, 3], recurrentActivation: 'sigmoid', ...random })]],
  ['LSTM, all steps, hard sigmoid', [4, 3], () => [L.lstm({ ...mild, units: 2, inputShape: [4, 3], returnSequences: true })]],
  ['GRU', [4, 3], () => [L.gru({ ...mild, units: 2, inputShape: [4, 3], recurrentActivation: 'sigmoid', ...random })]],
  ['GRU, backwards', [4, 3], () => [L.gru({ ...mild, units: 2, inputShape: [4, 3], goBackwards: true })]],
  ['SimpleRNN', [4, 3], () => [L.simpleRNN({ ...mild, units: 2, inputShape: [4, 3], ...random })]],
  ['LeakyReLU', [5], () => [L.leakyReLU({ alpha: 0.2, inputShape: [5] })]],
  ['ELU', [5], () => [L.elu({ inputShape: [5] })]],
  ['PReLU', [5], () => [L.prelu({ alphaInitializer: 'randomNormal', inputShape: [5] })]],
  ['ThresholdedReLU', [5], () => [L.thresholdedReLU({ theta: 0.3, inputShape: [5] })]],
  ['ReLU with a largest value', [5], () => [L.reLU({ maxValue: 0.5, inputShape: [5] })]],
  ...(['elu', 'hardSigmoid', 'relu6', 'selu', 'softplus', 'softsign', 'swish', 'mish', 'gelu', 'gelu_new'] as const).map(
    (activation) => [`Dense, ${activation}`, [5], () => [L.dense({ units: 4, activation, inputShape: [5], ...random })]] as const,
  ),
];

/** tfjs numbers the names of tensors when a layer's name comes twice in a process. */
const plain = (name: string): string => name.replace(/_\d+$/, '');

function valuesOf(model: layers.LayersModel): Record<string, ReferenceTensor> {
  return Object.fromEntries(
    model.weights.map((weight) => [plain(weight.name), referenceTensor(weight.shape as number[], weight.read().dataSync())]),
  );
}

const tensorOf = (x: ReferenceTensor): tf.Tensor => tf.tensor(Float32Array.from(x.data), [...x.shape]);

describe.each(cases)('tfjs layer %s', (_, shape, make) => {
  const x = randomTensor([EXAMPLES, ...shape], uniform(5));

  it('gives what tfjs gives', () => {
    const model = layers.sequential({ layers: make() });
    const graph = importTfjsLayers(JSON.stringify(model.toJSON(null, false)));
    const theirs = (model.predict(tensorOf(x)) as tf.Tensor).dataSync();
    expect(differences(runReference(graph, { ...valuesOf(model), x })['prediction']?.data, theirs, 2e-6)).toEqual([]);
  });
});

const textOf = (model: layers.LayersModel): string => JSON.stringify(model.toJSON(null, false));

describe('tfjs models', () => {
  it('batch normalisation is that of training', () => {
    const model = layers.sequential({
      layers: [L.batchNormalization({ inputShape: [3, 2], gammaInitializer: 'randomNormal', betaInitializer: 'randomNormal' })],
    });
    const x = randomTensor([EXAMPLES, 3, 2], uniform(2));
    const theirs = (model.apply(tensorOf(x), { training: true }) as tf.Tensor).dataSync();
    const graph = importTfjsLayers(textOf(model));
    expect(graph.inputs.map(({ name }) => name.replace(/.*\//, ''))).toEqual(['gamma', 'beta', 'x']);
    expect(differences(runReference(graph, { ...valuesOf(model), x })['prediction']?.data, theirs, 2e-6)).toEqual([]);
  });

  it('embeddings take whole numbers', () => {
    const model = layers.sequential({
      layers: [L.embedding({ inputDim: 5, outputDim: 3, inputLength: 4 }), L.flatten(), L.dense({ units: 2 })],
    });
    const x = referenceTensor([2, 4], [0, 1, 2, 3, 4, 0, 1, 1]);
    const graph = importTfjsLayers(textOf(model));
    expect(inputsOf(graph, 'data')[0]).toMatchObject({ dtype: 'int64', shape: ['batch', 4] });
    const theirs = (model.predict(tensorOf(x)) as tf.Tensor).dataSync();
    expect(differences(runReference(graph, { ...valuesOf(model), x })['prediction']?.data, theirs, 2e-6)).toEqual([]);
  });

  it('branches merge', () => {
    const input = layers.input({ shape: [4] });
    const [a, b] = [L.dense({ units: 3 }), L.dense({ units: 3, activation: 'tanh' })].map(
      (layer) => layer.apply(input) as layers.SymbolicTensor,
    );
    const pair = [a, b] as layers.SymbolicTensor[];
    const merges = [L.add(), L.multiply(), L.average(), L.maximum(), L.minimum(), L.concatenate()].map(
      (layer) => layer.apply(pair) as layers.SymbolicTensor,
    );
    const outputs = L.concatenate({ axis: 1 }).apply(merges) as layers.SymbolicTensor;
    const model = layers.model({ inputs: input, outputs });
    const x = randomTensor([EXAMPLES, 4], uniform(8));
    const theirs = (model.predict(tensorOf(x)) as tf.Tensor).dataSync();
    const ours = runReference(importTfjsLayers(textOf(model)), { ...valuesOf(model), x })['prediction']?.data;
    expect(differences(ours, theirs, 2e-6)).toEqual([]);
  });

  it('a small convolutional network has the gradient of tfjs, and a symmetric Hessian', () => {
    const model = layers.sequential({
      layers: [
        L.conv2d({ filters: 3, kernelSize: 3, activation: 'tanh', inputShape: [6, 6, 2] }),
        L.averagePooling2d({ poolSize: 2 }),
        L.flatten(),
        L.dense({ units: 2 }),
      ],
    });
    const training = attachLoss(importTfjsLayers(textOf(model)), { kind: 'mse', reduction: 'sum-outputs', halved: true });
    const x = randomTensor([EXAMPLES, 6, 6, 2], uniform(3));
    const target = randomTensor([EXAMPLES, 2], uniform(4));
    const ours = referenceLinearization(linearize(training), training, { ...valuesOf(model), x, target });
    const { grads } = tf.variableGrads(() =>
      tf.mul<tf.Scalar>(0.5, tf.sum(tf.square(tf.sub(model.apply(tensorOf(x)) as tf.Tensor, tensorOf(target))))),
    );
    const theirs = model.weights.flatMap((weight) => [...(grads[(weight.read() as tf.Variable).name]?.dataSync() ?? [])]);
    expect(differences(ours.gradient, theirs, 1e-5)).toEqual([]);
    const [v, w] = [uniform(1), uniform(2)].map((next) => ours.gradient.map(next)) as [number[], number[]];
    const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, p, i) => sum + p * (b[i] ?? 0), 0);
    expect(dot(w, ours.multiply(v))).toBeCloseTo(dot(v, ours.multiply(w)), 10);
  });

  it('the depth of a model is not a depth of calls', () => {
    const layer = (i: number): object => ({
      class_name: 'Activation',
      config: { name: `a${i}`, activation: 'tanh', ...(i === 0 && { batch_input_shape: [null, 2] }) },
    });
    const deep = { class_name: 'Sequential', config: { layers: Array.from({ length: 20_000 }, (_, i) => layer(i)) } };
    expect(importTfjsLayers(JSON.stringify(deep)).nodes).toHaveLength(20_000);
  });

  it.each([
    ['a regularizer', L.dense({ units: 2, inputShape: [3], kernelRegularizer: 'l1l2' }), /regularizer/],
    [
      'channels first',
      L.conv2d({ filters: 1, kernelSize: 1, dataFormat: 'channelsFirst', inputShape: [1, 2, 2] }),
      /data_format/,
    ],
    ['masks', L.embedding({ inputDim: 3, outputDim: 2, inputLength: 2, maskZero: true }), /mask_zero/],
  ])('refused - %s', (_, layer, text) => {
    const model = layers.sequential();
    model.add(layer);
    expect(() => importTfjsLayers(textOf(model))).toThrow(text);
  });
});
