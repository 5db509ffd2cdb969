import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { linearize } from '../linearize.js';
import { mixesExamples } from '../mixes-examples.js';
import { parametersOf } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { referenceLinearization } from '../testing/hessian.js';
import { differences, randomTensor, uniform } from '../testing/numbers.js';
import { importTfjs } from './import-model.js';
import type { GraphModelOptions } from './graph-model.js';
import { dense, namesOf, read } from './testing/dense-file.js';
import { GraphFile, flag, float, int, ints, text, texts } from './testing/graph-files.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('a GraphModel and a LayersModel of one network', () => {
  const L = layers.layers;
  const model = (): layers.LayersModel =>
    layers.sequential({
      layers: [
        L.conv2d({
          filters: 3,
          kernelSize: 3,
          padding: 'same',
          activation: 'tanh',
          inputShape: [6, 6, 2],
          biasInitializer: 'randomNormal',
        }),
        L.averagePooling2d({ poolSize: 2 }),
        L.flatten(),
        L.dense({ units: 4, activation: 'softmax', biasInitializer: 'randomNormal' }),
      ],
    });

  it('have the same loss, gradient and Hessian', () => {
    const given = model();
    const [kernel, bias, matrix, shift] = given.weights.map((weight) => Array.from(weight.read().dataSync()));
    const file = new GraphFile();
    const x = file.placeholder('x', [-1, 6, 6, 2]);
    const conv = file.node('_FusedConv2D', [x, file.weight('kernel', [3, 3, 2, 3], kernel), file.weight('bias', [3], bias)], {
      padding: text('SAME'),
      strides: ints(1, 1, 1, 1),
      fused_ops: texts('BiasAdd', 'Tanh'),
      num_args: int(1),
    });
    const pooled = file.node('AvgPool', [conv], { padding: text('VALID'), ksize: ints(1, 2, 2, 1), strides: ints(1, 2, 2, 1) });
    const flat = file.node('Reshape', [pooled, file.wholes(-1, 27)]);
    const product = file.node('MatMul', [flat, file.weight('matrix', [27, 4], matrix)]);
    file.node('Softmax', [file.node('BiasAdd', [product, file.weight('shift', [4], shift)])], {}, 'probabilities');

    const x0 = randomTensor([3, 6, 6, 2], uniform(3));
    const target = randomTensor([3, 4], uniform(4));
    target.data.forEach((_, i) => (target.data[i] = i % 5 === 0 ? 1 : 0));
    const [ours, theirs] = [read(file), importTfjs(JSON.stringify(given.toJSON(null, false)))].map((forward) => {
      expect(forward.outputs[0]?.meaning).toBe('probabilities');
      const training = attachLoss(forward, { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false });
      const values = [kernel, bias, matrix, shift].map((data = [], i) => {
        const { name, shape } = parametersOf(forward)[i]!;
        return [name, referenceTensor(shape as number[], data)] as const;
      });
      return referenceLinearization(linearize(training), training, { ...Object.fromEntries(values), x: x0, target });
    }) as [ReturnType<typeof referenceLinearization>, ReturnType<typeof referenceLinearization>];
    expect(ours.loss).toBeCloseTo(theirs.loss, 12);
    expect(differences(ours.gradient, theirs.gradient, 1e-12)).toEqual([]);
    const v = ours.gradient.map(uniform(9));
    expect(differences(ours.multiply(v), theirs.multiply(v), 1e-11)).toEqual([]);
  });
});

describe('inputs and outputs of a GraphModel', () => {
  const signed = (file: GraphFile, signature: object): string => JSON.stringify({ ...file.json(), signature });
  const options = (file: GraphFile): GraphModelOptions => ({ external: () => file.bytes });

  it('are those of its signature', () => {
    const file = dense();
    file.node('Relu', ['y'], {}, 'last');
    const text = signed(file, {
      inputs: { data: { name: 'x:0' } },
      outputs: { scores: { name: 'last:0' }, logits: { name: 'y:0' } },
    });
    expect(importTfjs(text, options(file)).outputs.map(({ name }) => name)).toEqual(['logits']);
    const named = importTfjs(text, { ...options(file), outputs: ['scores', 'hidden'] });
    expect(named.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['scores', ['batch', 3]],
      ['hidden', ['batch', 3]],
    ]);
    expect(() => importTfjs(text, { ...options(file), outputs: ['score'] })).toThrow(
      expect.objectContaining({ field: 'outputs', expected: 'one of scores' }),
    );
  });

  it('have sizes by name where the file leaves axes open', () => {
    const file = new GraphFile();
    file.node('Sum', [file.placeholder('x', [-1, -1, 2]), file.wholes(1)]);
    expect(() => read(file)).toThrow(/'x:1' has no size/);
    expect(read(file, { sizes: { 'x:1': 5 } }).inputs[0]?.shape).toEqual(['batch', 5, 2]);
  });

  it('may be whole numbers', () => {
    const file = new GraphFile();
    file.node('GatherV2', [file.weight('table', [5, 2]), file.placeholder('ids', [-1, 3], 'DT_INT32'), file.whole(0)]);
    const graph = read(file);
    expect(graph.inputs.at(-1)).toMatchObject({ name: 'ids', dtype: 'int64' });
    expect(graph.outputs[0]?.shape).toEqual(['batch', 3, 2]);
  });
});

describe('a GraphModel', () => {
  it('in training has the statistics of its examples', () => {
    const file = new GraphFile();
    const x = file.placeholder('x', [-1, 2, 2, 3]);
    const weights = [
      file.weight('scale', [3]),
      file.weight('offset', [3]),
      file.weight('none', [0]),
      file.weight('nothing', [0]),
    ];
    file.node('FusedBatchNormV3', [x, ...weights], { is_training: flag(true), epsilon: float(0.01) });
    const graph = read(file, { parameters: ['scale', 'offset'] });
    expect(mixesExamples(attachLoss(graph, { kind: 'mse', reduction: 'sum-outputs', halved: true }))).toBe(true);
    const data = randomTensor([4, 2, 2, 3], uniform(1));
    const [scale, offset] = file.weights.map(({ shape, data: given }) => referenceTensor(shape, given));
    const y = runReference(graph, { x: data, scale: scale!, offset: offset! })[graph.outputs[0]!.name]!.data;
    const { mean, variance } = tf.moments(tf.tensor(Float32Array.from(data.data), [4, 2, 2, 3]), [0, 1, 2]);
    const expected = tf.batchNorm(
      tf.tensor4d(Float32Array.from(data.data), [4, 2, 2, 3]),
      mean as tf.Tensor1D,
      variance as tf.Tensor1D,
      tf.tensor1d([...offset!.data]),
      tf.tensor1d([...scale!.data]),
      0.01,
    );
    expect(differences(y, expected.dataSync(), 3e-6)).toEqual([]);
  });

  it('with channels first gives the same as with channels last', () => {
    const [last, first] = [new GraphFile(), new GraphFile()];
    const bias = (file: GraphFile) => file.weight('bias', [4]);
    const kernel = (file: GraphFile) => file.weight('kernel', [3, 2, 2, 4]);
    const norm = (file: GraphFile) => ['s', 'o', 'm', 'vv'].map((name) => file.weight(name, [4], [0.5, 1, 2, 3]));
    const at = (layout: string, steps: readonly number[]) => ({
      data_format: text(layout),
      padding: text('SAME'),
      strides: ints(...steps),
      fused_ops: texts('BiasAdd', 'Relu'),
      is_training: flag(false),
    });
    const plain = at('NHWC', [1, 2, 1, 1]);
    const turned = at('NCHW', [1, 1, 2, 1]);
    const y = last.node('_FusedConv2D', [last.placeholder('x', [-1, 5, 4, 2]), kernel(last), bias(last)], plain);
    last.node('FusedBatchNormV3', [y, ...norm(last)], plain);
    const x = first.node('Transpose', [first.placeholder('x', [-1, 5, 4, 2]), first.wholes(0, 3, 1, 2)]);
    const z = first.node('_FusedConv2D', [x, kernel(first), bias(first)], turned);
    first.node('Transpose', [first.node('FusedBatchNormV3', [z, ...norm(first)], turned), first.wholes(0, 2, 3, 1)]);
    const data = randomTensor([3, 5, 4, 2], uniform(8));
    const [a, b] = [last, first].map((file) => {
      const graph = read(file);
      const given = parametersOf(graph).map(
        ({ name, shape, initial }) => [name, referenceTensor(shape as number[], initial!)] as const,
      );
      return runReference(graph, { ...Object.fromEntries(given), x: data })[graph.outputs[0]!.name]?.data;
    });
    expect(differences(a, b, 1e-12)).toEqual([]);
  });

  it('takes nodes in any order, and control inputs as no values', () => {
    const file = dense();
    const expected = read(file);
    file.nodes.reverse();
    file.nodes[0] = { ...file.nodes[0]!, input: [...file.nodes[0]!.input, '^hidden'] };
    expect(namesOf(read(file)).toSorted()).toEqual(namesOf(expected).toSorted());
    expect(read(file).nodes).toEqual(expected.nodes);
  });

  it('may be deep: its depth is not a depth of calls', () => {
    const file = new GraphFile();
    let y = file.placeholder('x', [-1, 2]);
    for (let i = 0; i < 20_000; i++) y = file.node('Tanh', [y]);
    expect(read(file).nodes).toHaveLength(20_000);
  });
});
