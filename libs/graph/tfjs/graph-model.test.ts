import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { GraphError, UnknownOp, UnsupportedModel } from '../errors.js';
import type { Graph } from '../graph.js';
import { linearize } from '../linearize.js';
import { mixesExamples } from '../mixes-examples.js';
import { parametersOf } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { referenceLinearization } from '../testing/hessian.js';
import { differences, randomTensor, uniform } from '../testing/numbers.js';
import { importTfjs } from './import-model.js';
import type { GraphModelOptions } from './graph-model.js';
import { GraphFile, flag, float, int, ints, text, texts, type } from './testing/graph-files.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const read = (file: GraphFile, options: GraphModelOptions = {}): Graph =>
  importTfjs(JSON.stringify(file.json()), { external: () => file.bytes, ...options });
const namesOf = (graph: Graph): string[] => parametersOf(graph).map(({ name }) => name);

function dense(): GraphFile {
  const file = new GraphFile();
  const hidden = file.node('MatMul', [file.placeholder('x', [-1, 4]), file.weight('w1', [4, 3])], {}, 'hidden');
  file.node('BiasAdd', [file.node('Tanh', [hidden]), file.weight('b1', [3])], {}, 'y');
  return file;
}

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

describe('parameters of a GraphModel', () => {
  it('are all weights with their values, without single numbers and running statistics', () => {
    const file = dense();
    const [mean, variance] = [file.node('Identity', [file.weight('mean', [3])]), file.weight('variance', [3], [1, 2, 3])];
    const scaled = file.node('Mul', ['y', file.number(2)]);
    const four = file.node('Reshape', [scaled, file.wholes(-1, 1, 1, 3)]);
    file.node('FusedBatchNormV3', [four, file.weight('scale', [3]), file.weight('offset', [3]), mean, variance], {
      is_training: flag(false),
      epsilon: float(0.1),
    });
    const graph = read(file);
    expect(namesOf(graph)).toEqual(['w1', 'b1', 'scale', 'offset']);
    expect(parametersOf(graph)[1]?.initial).toEqual(Float32Array.from(file.weights[1]!.data));
  });

  it('are those that are listed, in that order; the others are constants', () => {
    expect(namesOf(read(dense(), { parameters: ['b1', 'w1'] }))).toEqual(['b1', 'w1']);
    expect(namesOf(read(dense(), { parameters: ['w1'] }))).toEqual(['w1']);
    expect(() => read(dense(), { parameters: ['w2'] })).toThrow(UnsupportedModel);
  });

  it('need no values in the file, but constants do', () => {
    const none = { external: undefined };
    expect(namesOf(read(dense(), none))).toEqual(['w1', 'b1']);
    expect(parametersOf(read(dense(), none))[0]?.initial).toBeUndefined();
    expect(() => read(dense(), { ...none, parameters: ['w1'] })).toThrow(
      expect.objectContaining({ field: 'node b1', message: expect.stringContaining('not with the model') }),
    );
  });
});

describe('weights of a GraphModel', () => {
  const withManifest = (file: GraphFile, manifest: unknown): string =>
    JSON.stringify({ ...file.json(), weightsManifest: manifest });

  it('may be inside of model.json', () => {
    const file = dense();
    const [group] = file.json().weightsManifest;
    const path = `data:application/octet-stream;base64,${Buffer.from(file.bytes).toString('base64')}`;
    const graph = importTfjs(withManifest(file, [{ ...group, paths: [path] }]));
    expect(parametersOf(graph)).toEqual(parametersOf(read(file)));
  });

  it.each([
    ['uint8', { dtype: 'uint8', scale: 0.5, min: -1 }, Uint8Array.of(0, 2, 255), [-1, 0, 126.5]],
    ['uint16', { dtype: 'uint16', scale: 0.25, min: 1 }, new Uint8Array(Uint16Array.of(0, 4, 40_000).buffer), [1, 2, 10_001]],
    ['float16', { dtype: 'float16' }, new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3800).buffer), [1, -2, 0.5]],
  ])('quantised to %s are read', (_, quantization, bytes, expected) => {
    const file = dense();
    const weights = [
      { name: 'w1', shape: [4, 3], dtype: 'float32' },
      { name: 'b1', shape: [3], dtype: 'float32', quantization },
    ];
    const all = new Uint8Array([...new Uint8Array(48), ...bytes]);
    const graph = importTfjs(withManifest(file, [{ paths: ['a'], weights }]), { external: () => all });
    expect(Array.from(parametersOf(graph)[1]?.initial ?? [])).toEqual(expected);
  });

  it.each([
    ['too few bytes', [{ paths: ['a'], weights: [{ name: 'w1', shape: [400, 3], dtype: 'float32' }] }], 'weightsManifest w1'],
    ['texts', [{ paths: ['a'], weights: [{ name: 'w1', shape: [1], dtype: 'string' }] }], 'weightsManifest w1'],
    [
      'a size that nobody has',
      [{ paths: ['a'], weights: [{ name: 'w1', shape: [2 ** 30, 2 ** 30], dtype: 'float32' }] }],
      'weightsManifest w1',
    ],
    ['what is not base64', [{ paths: ['data:;base64,?'], weights: [] }], 'weightsManifest'],
    ['another manifest', [{ paths: 'a' }], 'weightsManifest.0.paths'],
    ['a constant that is not listed', [], 'node w1'],
  ])('with %s are refused', (_, manifest, field) => {
    const file = dense();
    const read = () => importTfjs(withManifest(file, manifest), { external: () => file.bytes });
    expect(read).toThrow(UnsupportedModel);
    expect(read).toThrow(expect.objectContaining({ field }));
  });

  it('are looked for beside the file only', () => {
    const file = dense();
    const asked: string[] = [];
    const [group] = file.json().weightsManifest;
    const external = (path: string): undefined => void asked.push(path);
    for (const path of ['../a', '/a', 'a/../../b', 'http://a/b', 'fine/a'])
      importTfjs(withManifest(file, [{ ...group, paths: [path] }]), { external });
    expect(asked).toEqual(['fine/a']);
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

  it('names an operator that is not known', () => {
    const file = dense();
    file.node('Reluu6', ['y'], {}, 'strange');
    expect(() => read(file)).toThrow(UnknownOp);
    const expected = { code: 'UNKNOWN_OP', node: 'strange', op: 'Reluu6', domain: 'tensorflow', field: 'node strange' };
    expect(() => read(file)).toThrow(expect.objectContaining({ ...expected, nearest: expect.arrayContaining(['Relu6']) }));
  });

  const broken: readonly (readonly [string, (file: GraphFile) => unknown, string])[] = [
    [
      'a fused operator that is not known',
      (f) => f.node('_FusedMatMul', ['y', f.weight('w', [3, 2])], { fused_ops: texts('Gelu') }, 'n'),
      'Gelu',
    ],
    ['a layout that is not known', (f) => f.node('BiasAdd', ['y', 'b1'], { data_format: text('NDHWC') }, 'n'), 'NDHWC'],
    [
      'a padding that is not known',
      (f) => f.node('MaxPool', [f.node('Reshape', ['y', f.wholes(-1, 1, 3, 1)])], { padding: text('ODD') }, 'n'),
      'ODD',
    ],
    [
      'an attribute of another type',
      (f) => f.node('MatMul', ['y', f.weight('w', [3, 2])], { transpose_a: { b: 'x' } }, 'n'),
      'transpose_a',
    ],
    ['a missing input', (f) => f.node('Sub', ['y'], {}, 'n'), 'missing'],
    ['a missing result', (f) => f.node('Relu', ['y:3'], {}, 'n'), "output 3 of 'y'"],
    ['shapes that do not fit', (f) => f.node('MatMul', ['y', f.weight('w', [4, 2])], {}, 'n'), 'MatMul'],
    [
      'sizes that depend on data',
      (f) => f.node('Reshape', ['y', f.node('Cast', ['y'], { DstT: type('DT_INT32') })], {}, 'n'),
      'not known',
    ],
    ['an axis that is not there', (f) => f.node('Sum', ['y', f.wholes(5)], {}, 'n'), 'Axis 5'],
    ['a cast to what is not known', (f) => f.node('Cast', ['y'], { DstT: type('DT_STRING') }, 'n'), 'DT_STRING'],
  ];
  it.each(broken)('with %s is refused at its node', (_, spoil, problem) => {
    const file = dense();
    spoil(file);
    expect(() => read(file)).toThrow(UnsupportedModel);
    expect(() => read(file)).toThrow(expect.objectContaining({ field: 'node n', message: expect.stringContaining(problem) }));
  });

  it('that is damaged somewhere gives an error of a model, or another model', () => {
    const file = dense();
    const parts = file.node(
      'Split',
      [file.whole(1), file.node('Pad', ['y', file.weight('pads', [2, 2], [0, 0, 1, 2], 'int32')])],
      {
        num_split: int(3),
      },
    );
    const size = file.node('StridedSlice', [file.node('Shape', ['y']), file.wholes(0), file.wholes(1), file.wholes(1)]);
    const shape = file.node('ConcatV2', [size, file.wholes(2, 1), file.whole(0)], { N: int(2) });
    file.node('Sum', [file.node('Reshape', [`${parts}:1`, shape]), file.wholes(2)], { keep_dims: flag(true) });
    const whole = JSON.stringify(file.json());
    const next = uniform(11);
    const pick = (count: number): number => Math.floor((next() + 1) * 0.5 * count) % count;
    const strange = ['null', '-1', '1e99', '"x"', '[]', '{}', '"y"', '"-3"', '2147483648', 'true'];
    const values = [...whole.matchAll(/"[^"]*"(?!:)|-?\d+(?:\.\d+)?|true|false/g)];
    const errors: unknown[] = [];
    for (let i = 0; i < 400; i++) {
      const { 0: old, index } = values[pick(values.length)]!;
      const text = whole.slice(0, index) + strange[pick(strange.length)] + whole.slice(index + old.length);
      try {
        importTfjs(text, { external: () => file.bytes });
      } catch (error) {
        errors.push(error);
      }
    }
    expect(errors.filter((error) => !(error instanceof GraphError))).toEqual([]);
    expect(errors.length).toBeGreaterThan(100);
  });

  it('that goes in a circle is refused', () => {
    const file = dense();
    file.nodes.push({ name: 'a', op: 'Relu', input: ['b'], attr: {} }, { name: 'b', op: 'Relu', input: ['a'], attr: {} });
    expect(() => read(file, { outputs: ['a'] })).toThrow(/depends on itself/);
  });

  it.each([
    ['nodes of another form', { modelTopology: { node: [{ op: 'Relu' }] } }],
    ['no nodes', { modelTopology: { node: [] } }],
    ['two nodes of one name', { modelTopology: { node: [1, 2].map(() => ({ name: 'a', op: 'NoOp' })) } }],
    ['no topology', {}],
  ])('with %s is refused', (_, rest) => {
    expect(() => importTfjs(JSON.stringify({ format: 'graph-model', ...rest }))).toThrow(UnsupportedModel);
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
