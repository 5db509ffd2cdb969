import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { UnknownOp, UnsupportedModel } from '../errors.js';
import { gradient } from '../gradient.js';
import { linearize } from '../linearize.js';
import { oneHot, parametersOf } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { referenceLinearization } from '../testing/hessian.js';
import { differences, randomTensor, uniform } from '../testing/numbers.js';
import { importTfjsLayers } from './import.js';

const EXAMPLES = 4;

// tfjs says hello on the console otherwise.
beforeAll(async () => {
  await tf.setBackend('cpu');
});

type Model = layers.LayersModel;
const textOf = (model: Model): string => JSON.stringify(model.toJSON(null, false));

const sequential = (): Model =>
  layers.sequential({
    layers: [
      layers.layers.flatten({ inputShape: [2, 3], name: 'flat' }),
      layers.layers.dense({ units: 5, activation: 'tanh', name: 'first', biasInitializer: 'randomNormal' }),
      layers.layers.dropout({ rate: 0.5 }),
      layers.layers.dense({ units: 4, activation: 'sigmoid', useBias: false, name: 'second' }),
      layers.layers.dense({ units: 3, activation: 'softmax', name: 'last' }),
    ],
  });

function functional(): Model {
  const input = layers.input({ shape: [6] });
  const shared = layers.layers.dense({ units: 6, name: 'shared', biasInitializer: 'randomNormal' });
  const once = layers.layers.reLU().apply(shared.apply(input)) as layers.SymbolicTensor;
  const twice = layers.layers.activation({ activation: 'tanh' }).apply(shared.apply(once)) as layers.SymbolicTensor;
  const sum = layers.layers.add().apply([twice, input]) as layers.SymbolicTensor;
  const split = layers.layers.reshape({ targetShape: [3, 2] }).apply(sum);
  const perRow = layers.layers.dense({ units: 2, name: 'rows' }).apply(split);
  const output = layers.layers.flatten().apply(perRow) as layers.SymbolicTensor;
  return layers.model({ inputs: input, outputs: output });
}

/** tfjs numbers the names of the second model's tensors when a layer's name comes twice in a process. */
const plain = (name: string): string => name.replace(/_\d+$/, '');

function valuesOf(model: Model): Record<string, ReferenceTensor> {
  return Object.fromEntries(
    model.weights.map((weight) => [plain(weight.name), referenceTensor(weight.shape as number[], weight.read().dataSync())]),
  );
}

const predictionOf = (model: Model, x: ReferenceTensor): ArrayLike<number> =>
  (model.predict(tf.tensor([...x.data], [...x.shape] as [number, number])) as tf.Tensor).dataSync();

describe.each([
  ['sequential', sequential, [EXAMPLES, 2, 3]],
  ['functional, with a shared layer, a sum and a dense layer over three axes', functional, [EXAMPLES, 6]],
] as const)('a tfjs model - %s', (_, make, xShape) => {
  const build = (): { model: Model; x: ReferenceTensor; inputs: Record<string, ReferenceTensor> } => {
    const model = make();
    const x = randomTensor(xShape, uniform(4));
    return { model, x, inputs: { ...valuesOf(model), x } };
  };

  it('parameters are those of tfjs, with their shapes', () => {
    const { model } = build();
    const graph = importTfjsLayers(textOf(model));
    const expected = model.weights.map((weight) => ({ name: plain(weight.name), shape: weight.shape }));
    expect(parametersOf(graph).map(({ name, shape }) => ({ name, shape }))).toEqual(expected);
  });

  it('prediction is that of tfjs', () => {
    const { model, x, inputs } = build();
    const graph = importTfjsLayers(textOf(model));
    expect(differences(runReference(graph, inputs)['prediction']?.data, predictionOf(model, x), 1e-5)).toEqual([]);
  });

  it('gradient of squared errors is that of tfjs', () => {
    const { model, x, inputs } = build();
    const training = attachLoss(importTfjsLayers(textOf(model)), { kind: 'mse', reduction: 'sum-outputs', halved: true });
    const shape = predictionShape(training);
    const target = randomTensor(shape, uniform(6));
    const { graph, gradients } = gradient(training);
    const ours = runReference(graph, { ...inputs, target });
    const { grads } = tf.variableGrads(() => {
      const prediction = model.apply(tf.tensor([...x.data], [...x.shape] as [number, number])) as tf.Tensor;
      return tf.mul<tf.Scalar>(
        0.5,
        tf.sum(tf.square(tf.sub(prediction, tf.tensor([...target.data], shape as [number, number])))),
      );
    });
    const theirs = model.weights.map((weight) => grads[(weight.read() as tf.Variable).name]?.dataSync());
    gradients.forEach((name, i) => expect(differences(ours[name]?.data, theirs[i], 1e-4)).toEqual([]));
  });
});

function predictionShape(graph: { outputs: readonly { name: string; shape: readonly unknown[] }[] }): number[] {
  return (graph.outputs.find(({ name }) => name === 'prediction')?.shape ?? []).map((dim) =>
    dim === 'batch' ? EXAMPLES : Number(dim),
  );
}

describe('a tfjs model that ends in softmax', () => {
  const model = sequential();
  const forward = importTfjsLayers(textOf(model));
  const training = attachLoss(forward, { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false });
  const x = randomTensor([EXAMPLES, 2, 3], uniform(1));
  const classes = [0, 2, 1, 2];
  const inputs = { ...valuesOf(model), x, target: referenceTensor([EXAMPLES, 3], oneHot(classes, 3)) };

  it('says that it gives probabilities', () => {
    expect(forward.outputs[0]?.meaning).toBe('probabilities');
  });

  it('cross-entropy is that of the probabilities', () => {
    const probabilities = predictionOf(model, x);
    const expected = classes.map((label, i) => -Math.log(probabilities[3 * i + label] ?? Number.NaN));
    expect(differences(runReference(training, inputs)['losses']?.data, expected, 1e-5)).toEqual([]);
  });

  it('is computed from the logits, so that a probability of zero is no infinity', () => {
    expect(training.nodes.map((node) => node.op)).toContain('logSoftmax');
    const bias = referenceTensor([3], [0, 0, -2000]);
    const result = referenceLinearization(linearize(training), training, { ...inputs, 'last/bias': bias });
    expect(result.loss).toBeGreaterThan(2000);
    expect(result.gradient.every(Number.isFinite)).toBe(true);
  });
});

describe('importTfjsLayers', () => {
  const text = textOf(sequential());

  it('takes the order of a snapshot', () => {
    const parameters = ['last/bias', 'first/kernel', 'second/kernel', 'first/bias', 'last/kernel'];
    expect(parametersOf(importTfjsLayers(text, { parameters })).map(({ name }) => name)).toEqual(parameters);
  });

  it('takes the names that tfjs has numbered, as they are', () => {
    const second = sequential();
    const parameters = second.weights.map((weight) => weight.name);
    expect(parameters).not.toEqual(parameters.map(plain));
    expect(parametersOf(importTfjsLayers(textOf(second), { parameters })).map(({ name }) => name)).toEqual(parameters);
  });

  it('reads model.json as model.save writes it', () => {
    const wrapped = JSON.stringify({ modelTopology: JSON.parse(text) as unknown, weightsManifest: [] });
    expect(importTfjsLayers(wrapped)).toEqual(importTfjsLayers(text));
  });

  const changed = (from: string, to: string): string => text.replace(from, to);
  const withUnknown = textOf(
    layers.sequential({
      layers: [layers.layers.upSampling2d({ inputShape: [5, 3, 1], name: 'wide' }), layers.layers.flatten()],
    }),
  );

  it.each([
    ['a layer', withUnknown, { node: 'wide', op: 'UpSampling2D', domain: 'tfjs' }],
    ['an activation', changed('"tanh"', '"tanhh"'), { node: 'first', op: 'tanhh', nearest: ['tanh'] }],
  ])('unknown - %s', (_, json, expected) => {
    expect(() => importTfjsLayers(json)).toThrow(UnknownOp);
    expect(() => importTfjsLayers(json)).toThrow(expect.objectContaining({ code: 'UNKNOWN_OP', ...expected }));
  });

  it.each([
    ['no JSON', 'nonsense', 'graph'],
    ['no model', '{"class_name":"Optimizer"}', 'class_name'],
    ['a model of numbers', '17', ''],
    ['a fixed number of examples', changed('[null,2,3]', '[7,2,3]'), 'batch_input_shape'],
    ['no input shape', changed('"batch_input_shape":[null,2,3],', ''), 'config.layers[0].config'],
    ['a regularizer', changed('"kernel_regularizer":null', '"kernel_regularizer":{"class_name":"L1L2"}'), 'layer first'],
    ['units that are no number', changed('"units":5', '"units":"many"'), 'config.layers.1.config.units'],
  ])('refused - %s', (_, json, field) => {
    expect(() => importTfjsLayers(json)).toThrow(UnsupportedModel);
    expect(() => importTfjsLayers(json)).toThrow(expect.objectContaining({ field }));
  });

  it('refused - parameters that are not the model’s', () => {
    expect(() => importTfjsLayers(text, { parameters: ['first/kernel'] })).toThrow(
      /'first\/bias' is not once among the parameters/,
    );
    const parameters = [...parametersOf(importTfjsLayers(text)).map(({ name }) => name), 'third/kernel'];
    expect(() => importTfjsLayers(text, { parameters })).toThrow(/no parameter 'third\/kernel'/);
  });

  it('refused - a layer that depends on itself', () => {
    const model = JSON.parse(textOf(functional())) as { config: { layers: { inbound_nodes: unknown[][] }[] } };
    const [, dense] = model.config.layers;
    const output = (model as unknown as { config: { output_layers: [string, number, number][] } }).config.output_layers[0];
    if (dense) dense.inbound_nodes = [[[output?.[0], 0, 0, {}]], [[output?.[0], 0, 0, {}]]];
    expect(() => importTfjsLayers(JSON.stringify(model))).toThrow(/depends on itself/);
  });
});
