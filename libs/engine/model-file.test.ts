import { describe, expect, it } from 'vitest';
import { parametersOf, type LossSpec } from '#graph/index.js';
import { initialOf, loadModelFile } from './model-file.js';
import { writeNpz } from './npz.js';
import { parametersFrom, readTensors } from './parameter-file.js';

const squares: LossSpec = { kind: 'mse', reduction: 'mean-outputs', halved: false };

const dense = (name: string, units: number, extra: object = {}) => ({
  class_name: 'Dense',
  config: { name, units, activation: 'linear', use_bias: true, ...extra },
});

function tfjsModel(manifest?: unknown): Uint8Array {
  const layers = [dense('first', 2, { batch_input_shape: [null, 3] })];
  const topology = { model_config: { class_name: 'Sequential', config: { name: 'net', layers } } };
  return Buffer.from(
    JSON.stringify({ modelTopology: topology, ...(manifest === undefined ? {} : { weightsManifest: manifest }) }),
  );
}

const weights = [
  { name: 'first/kernel', shape: [3, 2], dtype: 'float32' },
  { name: 'first/bias', shape: [2], dtype: 'float32' },
];
const numbers = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const parts: Readonly<Record<string, Uint8Array>> = {
  a: new Uint8Array(numbers.buffer, 0, 12),
  b: new Uint8Array(numbers.buffer, 12, 20),
};
const beside = (path: string): Uint8Array | undefined => parts[path];

describe('loadModelFile', () => {
  it('reads the weights of a tfjs model from the files beside it', () => {
    const loaded = loadModelFile({ bytes: tfjsModel([{ paths: ['a', 'b'], weights }]), beside }, squares);
    expect(parametersOf(loaded.graph).map(({ name }) => name)).toEqual(['first/kernel', 'first/bias']);
    expect(initialOf(loaded).theta).toEqual(numbers);
  });

  it('reads a GraphModel of tfjs with its weights, as it is asked to', () => {
    const node = (name: string, op: string, input: string[], attr: object = {}) => ({ name, op, input, attr });
    const shape = { shape: { dim: [{ size: '-1' }, { size: '-1' }, { size: '3' }] } };
    const names = ['first/kernel', 'first/bias'];
    const nodes = [
      node('x', 'Placeholder', [], { dtype: { type: 'DT_FLOAT' }, shape }),
      ...names.map((name) => node(name, 'Const', [])),
      node('product', 'BatchMatMulV2', ['x', 'first/kernel']),
      node('y', 'BiasAdd', ['product', 'first/bias']),
      node('z', 'Tanh', ['y']),
    ];
    const json = { format: 'graph-model', modelTopology: { node: nodes }, weightsManifest: [{ paths: ['a', 'b'], weights }] };
    const file = { bytes: Buffer.from(JSON.stringify(json)), beside };
    const loaded = loadModelFile(file, squares, { sizes: { 'x:1': 4 }, output: 'y' });
    expect(parametersOf(loaded.graph).map(({ name }) => name)).toEqual(names);
    expect(initialOf(loaded).theta).toEqual(numbers);
    expect(loaded.graph.outputs.find(({ name }) => name === 'prediction')?.shape).toEqual(['batch', 4, 2]);
    expect(() => loadModelFile(file, squares, { output: 'y' })).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_MODEL' }));
  });

  it('says so when there are none', () => {
    const loaded = loadModelFile({ bytes: tfjsModel(), beside }, squares);
    expect(() => initialOf(loaded)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it.each([
    ['a file that is missing', [{ paths: ['a', 'c'], weights }], "'c', which is not there"],
    ['a path that leads away', [{ paths: ['../a'], weights }], 'which is not there'],
    ['bytes that end early', [{ paths: ['a'], weights }], "end inside 'first/kernel'"],
    ['quantised weights', [{ paths: ['a'], weights: [{ ...weights[0], dtype: 'uint8' }] }], 'uint8'],
    ['a manifest of another kind', [{ paths: 'a' }], 'manifest'],
  ])('refuses %s', (_, manifest, problem) => {
    expect(() => loadModelFile({ bytes: tfjsModel(manifest), beside }, squares)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_MODEL', message: expect.stringContaining(problem) }),
    );
  });
});

function safetensors(header: unknown, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}
const entry = (dtype: string, shape: readonly number[], to: number, from = 0) => ({ dtype, shape, data_offsets: [from, to] });

describe('readTensors', () => {
  it('reads numbers of every width', () => {
    // 1.5 as bfloat16 and as float16, and the smallest float16 above zero.
    const data = Buffer.from([0xc0, 0x3f, 0x00, 0x3e, 0x01, 0x00, 7]);
    const tensors = readTensors(
      safetensors({ b: entry('BF16', [1], 2), h: entry('F16', [2], 6, 2), u: entry('U8', [1], 7, 6) }, data),
    );
    expect([...tensors].map(([name, tensor]) => [name, Array.from(tensor.data)])).toEqual([
      ['b', [1.5]],
      ['h', [1.5, 2 ** -24]],
      ['u', [7]],
    ]);
    const npz = readTensors(writeNpz({ w: { dtype: 'float64', shape: [2], data: Float64Array.of(1, 2) } }));
    expect(Array.from(npz.get('w')!.data)).toEqual([1, 2]);
  });

  it.each([
    ['nothing', new Uint8Array(0), 'INVALID_ARGUMENT'],
    ['a header that is longer than the file', Buffer.from([255, 255, 255, 0, 0, 0, 0, 0, 1]), 'INVALID_ARGUMENT'],
    ['a header that is no JSON', safetensors('{'), 'INVALID_ARGUMENT'],
    ['a tensor outside of the file', safetensors({ w: entry('F32', [2], 8) }), 'INVALID_ARGUMENT'],
    ['a tensor of another size than its shape', safetensors({ w: entry('F32', [2], 4) }, new Uint8Array(4)), 'INVALID_ARGUMENT'],
    ['negative sizes', safetensors({ w: entry('F32', [-1], 4) }, new Uint8Array(4)), 'INVALID_ARGUMENT'],
    ['an unknown dtype', safetensors({ w: entry('constructor', [1], 4) }, new Uint8Array(4)), 'UNKNOWN_DTYPE'],
  ])('refuses %s', (_, bytes, code) => {
    expect(() => readTensors(bytes)).toThrow(expect.objectContaining({ name: 'StagewatchError', code }));
  });
});

describe('parametersFrom', () => {
  const layout = [
    { name: 'a', shape: [2], offset: 0, size: 2 },
    { name: 'b', shape: [1, 2], offset: 2, size: 2 },
  ];
  const tensor = (shape: readonly number[], ...data: number[]) => ({ shape, data });

  it('finds parameters by name, whatever their order, and names the others', () => {
    const tensors = new Map([
      ['b', tensor([1, 2], 3, 4)],
      ['steps', tensor([], 9)],
      ['a', tensor([2], 1, 2)],
    ]);
    expect(parametersFrom(tensors, layout)).toEqual({ theta: Float32Array.of(1, 2, 3, 4), ignored: ['steps'] });
  });

  it('refuses a file without one, and one of another shape', () => {
    const tensors = new Map([['a', tensor([2], 1, 2)]]);
    expect(() => parametersFrom(tensors, layout)).toThrow(/'b' is missing/);
    expect(() => parametersFrom(tensors.set('b', tensor([2], 1, 2)), layout)).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH', detail: { field: 'b', value: '[2]', expected: '[1, 2]' } }),
    );
  });
});
