/** Files of torch.onnx (both exporters), tf2onnx and Keras, against the framework's own loss and gradient (test/golden/exporters). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { UnsupportedModel } from '../errors.js';
import { gradient } from '../gradient.js';
import type { Graph } from '../graph.js';
import { inputsOf, oneHot, parametersOf } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { differences } from '../testing/numbers.js';
import { importOnnx } from './import.js';
import type { OnnxImportOptions } from './import.js';
import { refusal } from '../testing/refusal.js';
import { encodeModel } from './proto.js';

const folder = new URL('../../../test/golden/exporters/', import.meta.url);
const read = (name: string): Uint8Array => readFileSync(new URL(name, folder));

interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
interface Truth {
  readonly parameters: Readonly<Record<string, Numbers>>;
  readonly aliases: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly y: Numbers;
  readonly loss: number;
  readonly gradient: readonly number[];
}
const truths = Object.fromEntries(
  ['words', 'norm', 'keras'].map((name) => [name, JSON.parse(new TextDecoder().decode(read(`${name}.json`))) as Truth]),
);
const truthOf = (name: string): Truth => {
  const truth = truths[name];
  if (truth === undefined) throw new Error(`There is no ${name}.json`);
  return truth;
};

const tensor = ({ shape, data }: Numbers): ReferenceTensor => referenceTensor(shape, data);
const valuesOf = ({ parameters }: Truth): NonNullable<OnnxImportOptions['values']> =>
  new Map(Object.entries(parameters).map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]));

/** Mean loss and gradient, in double precision, with the framework's parameters. */
function lossAndGradient(forward: Graph, truth: Truth): { loss: number; gradient: number[] } {
  const training = attachLoss(forward, { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false });
  const { graph, losses, gradients } = gradient(training);
  const [target] = inputsOf(training, 'target');
  const parameters = Object.fromEntries(Object.entries(truth.parameters).map(([name, numbers]) => [name, tensor(numbers)]));
  const data = inputsOf(training, 'data').map(({ name }) => {
    const numbers = truth.inputs[name] ?? truth.inputs['x'];
    return [name, numbers && tensor(numbers)] as const;
  });
  const classes = target?.classes ?? 0;
  const results = runReference(graph, {
    ...parameters,
    ...(Object.fromEntries(data) as Record<string, ReferenceTensor>),
    target: referenceTensor([...truth.y.shape, classes], oneHot(truth.y.data, classes)),
  });
  const examples = truth.y.shape[0] ?? 0;
  return {
    loss: (results[losses]?.data.reduce((sum, x) => sum + x, 0) ?? 0) / examples,
    gradient: gradients.flatMap((name) => Array.from(results[name]?.data ?? [], (x) => x / examples)),
  };
}

const external: OnnxImportOptions['external'] = (location) =>
  location === 'words-external.onnx.data' ? read(location) : undefined;

describe.each<readonly [string, string, (truth: Truth) => OnnxImportOptions, number]>([
  ['words-tracing', 'words', () => ({}), 1e-9],
  ['words-dynamo', 'words', ({ aliases }) => ({ aliases }), 1e-9],
  ['words-external', 'words', ({ aliases }) => ({ aliases, external }), 1e-9],
  ['words-tracing-folded', 'words', (truth) => ({ values: valuesOf(truth) }), 1e-9],
  ['words-dynamo-folded', 'words', (truth) => ({ values: valuesOf(truth), aliases: truth.aliases }), 1e-9],
  ['words-half', 'words', () => ({}), 1e-9],
  ['norm-dynamo', 'norm', () => ({}), 1e-9],
  ['keras', 'keras', (truth) => ({ values: valuesOf(truth) }), 1e-6],
  ['tf2onnx', 'keras', (truth) => ({ values: valuesOf(truth) }), 1e-6],
])('%s', (file, name, options, tolerance) => {
  const truth = truthOf(name);
  const forward = importOnnx(read(`${file}.onnx`), { parameters: Object.keys(truth.parameters), ...options(truth) });

  it('has the parameters of the framework', () => {
    const shapes = Object.entries(truth.parameters).map(([key, { shape }]) => [key, shape]);
    expect(parametersOf(forward).map((parameter) => [parameter.name, parameter.shape])).toEqual(shapes);
  });

  it('has its loss and its gradient', () => {
    const ours = lossAndGradient(forward, truth);
    expect(differences([ours.loss], [truth.loss], tolerance)).toEqual([]);
    expect(differences(ours.gradient, truth.gradient, tolerance)).toEqual([]);
  });
});

describe('inputs and outputs', () => {
  const truth = truthOf('words');
  const parameters = Object.keys(truth.parameters);
  const bytes = read('words-tracing.onnx');

  it('whole numbers stay whole numbers, and each data input has its examples first', () => {
    expect(inputsOf(importOnnx(bytes, { parameters }), 'data')).toEqual([
      { name: 'ids', role: 'data', dtype: 'int64', shape: ['batch', 4] },
      { name: 'mask', role: 'data', dtype: 'int64', shape: ['batch', 4] },
    ]);
  });

  it('an input may be a constant, as a mask of ones', () => {
    const forward = importOnnx(bytes, { parameters, given: { mask: 1 } });
    expect(inputsOf(forward, 'data').map(({ name }) => name)).toEqual(['ids']);
    expect(differences(lossAndGradient(forward, truth).gradient, truth.gradient, 1e-9)).toEqual([]);
  });

  it('the output is the one called logits, or the one that is asked for', () => {
    const outputs = (options: OnnxImportOptions): unknown =>
      importOnnx(bytes, { parameters, ...options }).outputs.map(({ name }) => name);
    expect(outputs({})).toEqual(['logits']);
    expect(outputs({ outputs: ['pooled'] })).toEqual(['pooled']);
    expect(outputs({ outputs: ['pooled', 'logits'] })).toEqual(['pooled', 'logits']);
    expect(() => outputs({ outputs: ['pooled_'] })).toThrow(
      expect.objectContaining({ field: 'outputs', expected: 'one of pooled' }),
    );
  });

  it('without a list, the parameters are the weights by their names', () => {
    expect(
      parametersOf(importOnnx(bytes))
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...parameters].sort());
    expect(
      parametersOf(importOnnx(read('norm-dynamo.onnx')))
        .map(({ name }) => name)
        .sort(),
    ).toEqual(Object.keys(truthOf('norm').parameters).sort());
  });
});

describe('refused', () => {
  const truth = truthOf('words');
  const parameters = Object.keys(truth.parameters);

  it('a folded weight whose values nobody gave', () => {
    const error = refusal(() => importOnnx(read('words-tracing-folded.onnx'), { parameters }));
    expect(error).toMatchObject({
      code: 'UNSUPPORTED_MODEL',
      value: 'mix.weight',
      expected: expect.stringContaining('constant folding') as string,
    });
  });

  it('a folded weight with other values', () => {
    const values = new Map(
      [...valuesOf(truth)].map(([name, { shape, data }]) => [name, { shape, data: data.map((x) => x + 1) }]),
    );
    expect(refusal(() => importOnnx(read('words-tracing-folded.onnx'), { parameters, values }))).toBeInstanceOf(UnsupportedModel);
  });

  it('a folded weight of zeros, which could be any', () => {
    const zeros = { shape: [2, 3], data: new Float32Array(6) };
    const tensors = ['val_1', 'val_2'].map((name) => ({ name, dims: [3, 2], dataType: 1, rawData: new Uint8Array(24) }));
    const info = (name: string, dim: unknown[]): unknown => ({ name, type: { tensorType: { elemType: 1, shape: { dim } } } });
    const bytes = encodeModel({
      opsetImport: [{ version: 17 }],
      graph: {
        node: [{ opType: 'MatMul', input: ['x', 'val_1'], output: ['y'] }],
        initializer: tensors,
        input: [info('x', [{ dimParam: 'n' }, { dimValue: 3 }])],
        output: [info('y', [])],
      },
    });
    const error = refusal(() => importOnnx(bytes, { parameters: ['w'], values: new Map([['w', zeros]]) }));
    expect(String(error)).toContain('values are all 0');
  });

  it.each<readonly [string, OnnxImportOptions, string]>([
    ['when there is one file only', {}, 'one file is all that there is'],
    ['when the file is not there', { external: () => undefined }, 'which is not there'],
    ['when the file is too short', { external: () => new Uint8Array(10) }, 'outside of its file'],
  ])('weights beside the file, %s', (_, options, text) => {
    const error = refusal(() => importOnnx(read('words-external.onnx'), { parameters, aliases: truth.aliases, ...options }));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_MODEL' });
    expect(String(error)).toContain(text);
  });

  it.each(['../secret', '/etc/passwd', 'a/../../b', 'C:\\x', 'a\\..\\b', '', './x', 'a//b', 'x\0y'])(
    'a path that leaves: %j',
    (location) => {
      const weight = { name: 'w', dims: [1], dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: location }] };
      const bytes = encodeModel({ opsetImport: [{ version: 17 }], graph: { initializer: [weight], output: [{ name: 'w' }] } });
      const asked: string[] = [];
      const files = (path: string): Uint8Array => {
        asked.push(path);
        return new Uint8Array(4);
      };
      expect(refusal(() => importOnnx(bytes, { external: files }))).toMatchObject({ field: 'tensor w' });
      expect(asked).toEqual([]);
    },
  );
});
