import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { UnknownOp, UnsupportedModel } from '../errors.js';
import { gradient } from '../gradient.js';
import type { LossSpec } from '../graph.js';
import { linearize } from '../linearize.js';
import { oneHot, parametersOf } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { resolveShape } from '../shapes.js';
import { join, referenceLinearization, split } from '../testing/hessian.js';
import { differences } from '../testing/numbers.js';
import { runOrt } from '../testing/ort.js';
import { importOnnx } from './import.js';
import { refusal } from '../testing/refusal.js';
import { encodeModel } from './proto.js';

const golden = new URL('../../../test/golden/onnx/', import.meta.url);
const onnxFile = (name: string): Uint8Array => readFileSync(new URL(`${name}.onnx`, golden));

/** PyTorch's own numbers, means over examples in float64 (test/golden/onnx/make.py). */
interface Oracle {
  readonly loss_spec: LossSpec;
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly theta: readonly number[];
  readonly x: { readonly shape: readonly number[]; readonly data: readonly number[] };
  readonly y: { readonly shape: readonly number[]; readonly data: readonly number[] };
  readonly prediction: readonly number[];
  readonly loss: number;
  readonly gradient: readonly number[];
  readonly vector: readonly number[];
  readonly product: readonly number[];
}

const cases = ['tanh-classes', 'relu-viewed', 'tokens-log-softmax', 'mixed-squares', 'sigmoid-squares'] as const;

describe.each(cases)('a file of torch.onnx - %s', (name) => {
  const oracle = JSON.parse(readFileSync(new URL(`${name}.json`, golden), 'utf8')) as Oracle;
  const names = oracle.parameters.map((parameter) => parameter.name);
  const forward = importOnnx(onnxFile(name), { parameters: names });
  const training = attachLoss(forward, oracle.loss_spec);
  const classes = training.inputs.find((input) => input.role === 'target')?.shape[1];
  const target =
    oracle.loss_spec.kind === 'cross-entropy'
      ? referenceTensor([oracle.y.data.length, Number(classes)], oneHot(oracle.y.data, Number(classes)))
      : referenceTensor(oracle.y.shape, oracle.y.data);
  const inputs = {
    ...split(training, oracle.theta, names),
    input: referenceTensor(oracle.x.shape, oracle.x.data),
    target,
  };
  const examples = oracle.x.shape[0] ?? 0;
  const overExamples = (sums: ArrayLike<number>): number[] => Array.from(sums, (x) => x / examples);

  it('parameters have their names, shapes and order', () => {
    expect(parametersOf(training).map((parameter) => ({ name: parameter.name, shape: parameter.shape }))).toEqual(
      oracle.parameters,
    );
  });

  it('parameters that the file carries keep their values', () => {
    const initial = parametersOf(forward).flatMap((parameter) => Array.from(parameter.initial ?? []));
    expect(initial).toEqual(name === 'relu-viewed' ? [] : oracle.theta);
  });

  it('reference: prediction, loss, gradient and product are those of PyTorch', () => {
    expect(differences(runReference(training, inputs)['prediction']?.data, oracle.prediction, 1e-12)).toEqual([]);
    const result = referenceLinearization(linearize(training), training, inputs);
    expect(differences(overExamples([result.loss]), [oracle.loss], 1e-12)).toEqual([]);
    expect(differences(overExamples(result.gradient), oracle.gradient, 1e-11)).toEqual([]);
    expect(differences(overExamples(result.multiply(oracle.vector)), oracle.product, 1e-11)).toEqual([]);
  });

  it('ONNX Runtime: loss, gradient and product are those of PyTorch', async () => {
    const { graph, loss, gradients } = gradient(training);
    const first = await runOrt(graph, inputs);
    expect(differences(overExamples(first[loss] ?? []), [oracle.loss], 1e-5)).toEqual([]);
    const all = gradients.flatMap((each) => [...(first[each] ?? [])]);
    expect(differences(overExamples(all), oracle.gradient, 1e-5)).toEqual([]);

    const { primal, tangent } = linearize(training);
    const values = await runOrt(primal.graph, inputs);
    const kept = Object.fromEntries(
      primal.graph.outputs.map((output) => {
        const shape = resolveShape(output.shape, examples);
        return [output.name, referenceTensor(shape, values[output.name] ?? [])];
      }),
    );
    const vector = split(training, oracle.vector, tangent.vectors[0] ?? []);
    const second = await runOrt(tangent.graph, { ...inputs, ...kept, ...vector });
    const product = (tangent.products[0] ?? []).flatMap((each) => [...(second[each] ?? [])]);
    expect(differences(overExamples(product), oracle.product, 1e-5)).toEqual([]);
  });

  it('one example or many: the batch axis is free', () => {
    const one = {
      ...inputs,
      input: referenceTensor([1, ...oracle.x.shape.slice(1)], join(inputs, ['input']).slice(0, oracle.x.data.length / examples)),
    };
    const forwardInputs = Object.fromEntries(Object.entries(one).filter(([key]) => key !== 'target'));
    const [output] = forward.outputs;
    const prediction = runReference(forward, forwardInputs)[output?.name ?? '']?.data;
    expect(differences(prediction, oracle.prediction.slice(0, prediction?.length), 1e-12)).toEqual([]);
  });
});

describe('importOnnx refuses', () => {
  it('a parameter that constant folding has renamed, by its name', () => {
    const parameters = ['mix.weight', 'mix.bias', 'head.weight'];
    const error = refusal(() => importOnnx(onnxFile('refused-folded'), { parameters }));
    expect(error).toBeInstanceOf(UnsupportedModel);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_MODEL', field: 'parameters[0]', value: 'mix.weight' });
    expect(String(error)).toContain('mix.weight');
  });

  it('a parameter that is listed twice', () => {
    const parameters = ['0.weight', '0.weight'];
    const error = refusal(() => importOnnx(onnxFile('tanh-classes'), { parameters }));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_MODEL', field: 'parameters[1]', value: '0.weight' });
  });

  it('a fixed number of examples', () => {
    const error = refusal(() => importOnnx(onnxFile('refused-fixed-batch'), { parameters: [] }));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_MODEL', field: 'input input', value: '[2, 3]' });
  });

  it.each([
    ['nothing', new Uint8Array()],
    ['text', new TextEncoder().encode('hello, I am not a model')],
    ['half a file', onnxFile('tanh-classes').subarray(0, 500)],
    ['an old opset', encodeModel({ opsetImport: [{ version: 6 }], graph: { node: [{ opType: 'Relu', output: ['y'] }] } })],
    ['an empty graph', encodeModel({ opsetImport: [{ version: 17 }], graph: { name: 'g' } })],
  ])('%s', (_, bytes) => {
    expect(refusal(() => importOnnx(bytes, { parameters: [] }))).toMatchObject({ code: 'UNSUPPORTED_MODEL' });
  });

  it('every file that is cut or has a byte changed is read or refused, and nothing else happens', () => {
    const whole = onnxFile('mixed-squares');
    const surprises: unknown[] = [];
    for (let i = 0; i < whole.length; i += 3) {
      const changed = Uint8Array.from(whole);
      changed[i] = (changed[i] ?? 0) ^ 0x55;
      for (const bytes of [changed, whole.subarray(0, i)]) {
        try {
          importOnnx(bytes, { parameters: ['fc1.weight'] });
        } catch (error) {
          if (!(error instanceof UnsupportedModel || error instanceof UnknownOp)) surprises.push(error);
        }
      }
    }
    expect(surprises).toEqual([]);
  });
});

/** A graph x [batch, 4] → y with these nodes, and a weight w. */
function file(nodes: readonly Record<string, unknown>[], weight: Record<string, unknown> = {}): Uint8Array {
  const info = (name: string, dim: readonly unknown[]): unknown => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim } } },
  });
  const w = { name: 'w', dims: [4, 2], dataType: 1, floatData: [1, 2, 3, 4, 5, 6, 7, 8], ...weight };
  const input = [info('x', [{ dimParam: 'n' }, { dimValue: 4 }])];
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ version: 17 }],
    graph: { node: nodes, initializer: [w], input, output: [info('y', [])] },
  });
}

describe('importOnnx names what is wrong in a file', () => {
  const product = { opType: 'MatMul', name: 'product', input: ['x', 'w'], output: ['y'] };

  it('reads the plain file', () => {
    const graph = importOnnx(file([product]), { parameters: ['w'] });
    const x = referenceTensor([1, 4], [1, 1, 1, 1]);
    expect(runReference(graph, { x, w: referenceTensor([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]) })['y']?.data).toEqual(
      Float64Array.of(16, 20),
    );
  });

  it.each([
    ['a tensor with too few numbers', file([product], { dims: [4, 3] }), 'tensor w'],
    ['a tensor of an unknown type', file([product], { dataType: 10 }), 'tensor w'],
    ['a tensor in another file', file([product], { dataLocation: 1 }), 'tensor w'],
    ['sizes below zero', file([product], { dims: [-4, -2] }), 'tensor w'],
    ['shapes that do not fit', file([product], { dims: [2, 4] }), 'node product'],
    ['an input that nobody makes', file([{ ...product, input: ['x', 'missing'] }]), 'node product'],
    ['a missing input', file([{ ...product, input: ['x'] }]), 'node product'],
    ['an output that nobody makes', file([{ ...product, output: ['z'] }]), 'output y'],
    [
      'an axis that does not exist',
      file([{ opType: 'Softmax', name: 's', input: ['x'], output: ['y'], attribute: [{ name: 'axis', i: 7 }] }]),
      'node s',
    ],
    [
      'a reshape that does not fit',
      file([
        { opType: 'Constant', name: 's', input: [], output: ['s'], attribute: [{ name: 'value_ints', ints: [-1, 7] }] },
        { opType: 'Reshape', name: 'f', input: ['x', 's'], output: ['y'] },
      ]),
      'node f',
    ],
  ])('%s', (_, bytes, field) => {
    const error = refusal(() => importOnnx(bytes, { parameters: [] }));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_MODEL', field });
  });

  it('an input without a shape', () => {
    const input = [{ name: 'x', type: { tensorType: { elemType: 1 } } }];
    const bytes = encodeModel({ opsetImport: [{ version: 17 }], graph: { node: [product], input, output: [{ name: 'y' }] } });
    expect(refusal(() => importOnnx(bytes, { parameters: [] }))).toMatchObject({ code: 'UNSUPPORTED_MODEL', field: 'input x' });
  });

  it('an unknown operator, with its node, its opset and the nearest known', () => {
    const error = refusal(() => importOnnx(file([{ ...product, name: '/1/MatMull', opType: 'MatMull' }]), { parameters: [] }));
    expect(error).toBeInstanceOf(UnknownOp);
    expect(error).toMatchObject({ code: 'UNKNOWN_OP', node: '/1/MatMull', op: 'MatMull', domain: 'ai.onnx', opset: 17 });
    expect(String(error)).toContain('MatMul');
  });

  it('an operator of another domain is unknown, whatever its name', () => {
    const error = refusal(() => importOnnx(file([{ ...product, domain: 'com.acme' }]), { parameters: [] }));
    expect(error).toMatchObject({ code: 'UNKNOWN_OP', domain: 'com.acme', op: 'MatMul' });
  });
});
