/** Convolutions, poolings and resizing as ONNX files have them: what ONNX Runtime makes of the file, and what we make of it. */
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { GraphError } from '../../errors.js';
import { runReference } from '../../run-reference.js';
import { differences, randomTensor, uniform } from '../../testing/numbers.js';
import { importOnnx } from '../import.js';
import { attributeType, elementType, encodeModel } from '../proto.js';

const BATCH = 2;
const TOLERANCE = 2e-6;

type AttributeValue = number | string | readonly number[];

interface Model {
  readonly op: string;
  readonly opset?: number;
  /** Without the examples. */
  readonly x: readonly number[];
  /** Shapes of the inputs behind x, as parameters. */
  readonly weights?: readonly (readonly number[])[];
  /** Constants behind x; `undefined` leaves one out. */
  readonly constants?: readonly ({ readonly floats: readonly number[] } | { readonly integers: readonly number[] } | undefined)[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

function attributeProto([name, value]: readonly [string, AttributeValue]): Record<string, unknown> {
  if (typeof value === 'string') return { name, type: attributeType.string, s: new TextEncoder().encode(value) };
  if (typeof value !== 'number') return { name, type: attributeType.ints, ints: [...value] };
  return name === 'cubic_coeff_a' ? { name, type: attributeType.float, f: value } : { name, type: attributeType.int, i: value };
}

function bytesOf({ op, opset = 17, x, weights = [], constants = [], attributes = {} }: Model): Uint8Array {
  const info = (name: string, dims: readonly (number | string)[]): Record<string, unknown> => {
    const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
    return { name, type: { tensorType: { elemType: elementType.float, shape: { dim } } } };
  };
  const initializer = constants.flatMap((constant, i) => {
    if (constant === undefined) return [];
    const isFloat = 'floats' in constant;
    const data = isFloat ? Float32Array.from(constant.floats) : BigInt64Array.from(constant.integers, BigInt);
    const dataType = isFloat ? elementType.float : elementType.int64;
    return [{ name: `c${i}`, dims: [data.length], dataType, rawData: new Uint8Array(data.buffer) }];
  });
  const input = ['x', ...weights.map((_, i) => `w${i}`), ...constants.map((constant, i) => (constant ? `c${i}` : ''))];
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: 'graph',
      node: [{ opType: op, name: 'node', input, output: ['y'], attribute: Object.entries(attributes).map(attributeProto) }],
      initializer,
      input: [info('x', ['batch', ...x]), ...weights.map((shape, i) => info(`w${i}`, shape))],
      output: [{ name: 'y', type: { tensorType: { elemType: elementType.float } } }],
    },
  });
}

/** Differences of shape and numbers. */
async function compared(model: Model): Promise<string[]> {
  const bytes = bytesOf(model);
  const weights = model.weights ?? [];
  const next = uniform(3);
  const tensors = {
    x: randomTensor([BATCH, ...model.x], next),
    ...Object.fromEntries(weights.map((shape, i) => [`w${i}`, randomTensor(shape, next)])),
  };
  const graph = importOnnx(bytes, { parameters: weights.map((_, i) => `w${i}`) });
  const actual = runReference(graph, tensors)['y'];
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const feeds = Object.entries(tensors).map(
    ([name, { shape, data }]) => [name, new ort.Tensor('float32', Float32Array.from(data), shape)] as const,
  );
  const { y } = await session.run(Object.fromEntries(feeds));
  await session.release();
  const shapes = [y?.dims.join(), actual?.shape.join()];
  return shapes[0] === shapes[1] ? differences(actual?.data, y?.data as Float32Array, TOLERANCE) : [shapes.join(' for ')];
}

/** Every combination of these. */
function combinations<T extends Readonly<Record<string, readonly unknown[]>>>(lists: T): { [K in keyof T]: T[K][number] }[] {
  return Object.entries(lists).reduce<Record<string, unknown>[]>(
    (all, [name, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  ) as { [K in keyof T]: T[K][number] }[];
}

const convolutions = combinations({
  kernel: [
    [1, 1],
    [3, 3],
    [2, 4],
  ],
  strides: [
    [1, 1],
    [2, 3],
  ],
  pads: [
    [0, 0, 0, 0],
    [1, 0, 2, 1],
  ],
  dilations: [
    [1, 1],
    [2, 1],
  ],
  group: [1, 2, 4],
});

describe('Conv', () => {
  it.each(convolutions)('kernel $kernel, strides $strides, pads $pads, dilations $dilations, $group groups', async (each) => {
    const { kernel, group, ...rest } = each;
    const weights = [[8, 4 / group, ...kernel], [8]];
    expect(await compared({ op: 'Conv', x: [4, 9, 8], weights, attributes: { ...rest, group } })).toEqual([]);
  });

  const automatic = combinations({
    auto_pad: ['SAME_UPPER', 'SAME_LOWER', 'VALID', 'NOTSET'],
    strides: [1, 2, 3],
    kernel: [2, 3],
  });
  it.each(automatic)('auto_pad $auto_pad, stride $strides, kernel $kernel', async ({ auto_pad, strides, kernel }) => {
    const attributes = { auto_pad, strides: [strides, strides] };
    expect(await compared({ op: 'Conv', x: [2, 8, 7], weights: [[3, 2, kernel, kernel]], attributes })).toEqual([]);
  });

  it('over one axis, and over three', async () => {
    expect(
      await compared({ op: 'Conv', x: [2, 9], weights: [[3, 2, 3], [3]], attributes: { strides: [2], pads: [1, 1] } }),
    ).toEqual([]);
    expect(
      await compared({ op: 'Conv', x: [2, 5, 4, 3], weights: [[3, 2, 2, 3, 1]], attributes: { pads: [0, 1, 0, 1, 1, 0] } }),
    ).toEqual([]);
  });

  it('a kernel that does not fit is an error that names the node', () => {
    const bytes = bytesOf({ op: 'Conv', x: [2, 3, 3], weights: [[3, 2, 5, 5]] });
    expect(() => importOnnx(bytes, { parameters: ['w0'] })).toThrow(GraphError);
    expect(() => importOnnx(bytes, { parameters: ['w0'] })).toThrow(/node/);
  });
});

const transposed = combinations({
  kernel: [
    [1, 1],
    [3, 2],
  ],
  strides: [
    [1, 1],
    [2, 3],
  ],
  pads: [
    [0, 0, 0, 0],
    [1, 0, 0, 1],
  ],
  dilations: [
    [1, 1],
    [2, 2],
  ],
  group: [1, 2],
});

describe('ConvTranspose', () => {
  it.each(transposed)('kernel $kernel, strides $strides, pads $pads, dilations $dilations, $group groups', async (each) => {
    const { kernel, group, ...rest } = each;
    const weights = [[4, 6 / group, ...kernel], [6]];
    expect(await compared({ op: 'ConvTranspose', x: [4, 4, 5], weights, attributes: { ...rest, group } })).toEqual([]);
  });

  it.each<{ name: string; attributes: Record<string, AttributeValue> }>([
    { name: 'output_padding', attributes: { strides: [2, 2], output_padding: [1, 0], pads: [1, 1, 1, 1] } },
    { name: 'output_shape', attributes: { strides: [2, 2], output_shape: [9, 10] } },
    { name: 'output_shape and SAME_UPPER', attributes: { strides: [2, 2], output_shape: [8, 9], auto_pad: 'SAME_UPPER' } },
    { name: 'SAME_LOWER', attributes: { strides: [2, 2], auto_pad: 'SAME_LOWER' } },
    { name: 'VALID', attributes: { strides: [2, 2], auto_pad: 'VALID' } },
  ])('$name', async ({ attributes }) => {
    expect(await compared({ op: 'ConvTranspose', x: [2, 4, 5], weights: [[2, 3, 3, 3]], attributes })).toEqual([]);
  });

  it('over one axis', async () => {
    expect(await compared({ op: 'ConvTranspose', x: [2, 4], weights: [[2, 3, 3]], attributes: { strides: [2] } })).toEqual([]);
  });
});

const pools = combinations({
  op: ['MaxPool', 'AveragePool'],
  kernel_shape: [
    [2, 2],
    [3, 2],
  ],
  strides: [
    [1, 1],
    [2, 2],
    [3, 2],
  ],
  pads: [
    [0, 0, 0, 0],
    [1, 0, 1, 1],
  ],
  ceil_mode: [0, 1],
});

describe('poolings', () => {
  it.each(pools)(
    '$op, kernel $kernel_shape, strides $strides, pads $pads, ceil_mode $ceil_mode',
    async ({ op, ...attributes }) => {
      expect(await compared({ op, x: [2, 8, 7], attributes })).toEqual([]);
    },
  );

  const counted = combinations({ strides: [1, 2], ceil_mode: [0, 1], pads: [0, 1] });
  it.each(counted)('AveragePool that counts padding, stride $strides, pad $pads, ceil_mode $ceil_mode', async (each) => {
    const { strides, pads, ceil_mode } = each;
    const attributes = {
      kernel_shape: [3, 3],
      strides: [strides, strides],
      pads: [pads, pads, pads, pads],
      ceil_mode,
      count_include_pad: 1,
    };
    expect(await compared({ op: 'AveragePool', opset: 19, x: [2, 8, 7], attributes })).toEqual([]);
  });

  it.each<{ name: string; model: Model }>([
    { name: 'MaxPool, dilated', model: { op: 'MaxPool', x: [2, 8, 7], attributes: { kernel_shape: [2, 3], dilations: [3, 2] } } },
    {
      name: 'MaxPool, SAME_UPPER',
      model: { op: 'MaxPool', x: [2, 8, 7], attributes: { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' } },
    },
    { name: 'MaxPool over one axis', model: { op: 'MaxPool', x: [2, 8], attributes: { kernel_shape: [3], strides: [2] } } },
    {
      name: 'AveragePool, dilated',
      model: { op: 'AveragePool', opset: 19, x: [2, 8, 7], attributes: { kernel_shape: [2, 2], dilations: [3, 2] } },
    },
    {
      name: 'AveragePool over one axis',
      model: { op: 'AveragePool', x: [2, 8], attributes: { kernel_shape: [3], strides: [2], pads: [1, 1] } },
    },
    { name: 'AveragePool over all', model: { op: 'AveragePool', x: [2, 4, 3], attributes: { kernel_shape: [4, 3] } } },
    {
      name: 'MaxPool over three axes',
      model: { op: 'MaxPool', x: [2, 4, 3, 5], attributes: { kernel_shape: [2, 2, 3], strides: [2, 1, 2] } },
    },
    { name: 'GlobalAveragePool', model: { op: 'GlobalAveragePool', x: [2, 4, 3] } },
    { name: 'GlobalMaxPool', model: { op: 'GlobalMaxPool', x: [2, 4, 3] } },
    { name: 'LpPool', model: { op: 'LpPool', x: [2, 4, 4], attributes: { kernel_shape: [2, 2], strides: [2, 2], p: 2 } } },
    { name: 'GlobalLpPool', model: { op: 'GlobalLpPool', x: [2, 4, 3], attributes: { p: 1 } } },
  ])('$name', async ({ model }) => {
    expect(await compared(model)).toEqual([]);
  });
});

describe('Resize', () => {
  const nearest = combinations({
    scale: [2, 3, 1.5, 0.5],
    coordinate_transformation_mode: ['asymmetric', 'half_pixel', 'align_corners'],
    nearest_mode: ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'],
  });
  it.each(nearest)('nearest, $scale, $coordinate_transformation_mode, $nearest_mode', async ({ scale, ...attributes }) => {
    const constants = [undefined, { floats: [1, 1, scale, scale] }];
    expect(await compared({ op: 'Resize', x: [2, 4, 6], constants, attributes })).toEqual([]);
  });

  const smooth = combinations({
    mode: ['linear', 'cubic'],
    coordinate_transformation_mode: ['asymmetric', 'half_pixel', 'align_corners', 'pytorch_half_pixel'],
    sizes: [
      [2, 2, 8, 12],
      [2, 2, 7, 5],
    ],
  });
  it.each(smooth)('$mode, $coordinate_transformation_mode, to $sizes', async ({ sizes, ...attributes }) => {
    const scales = [1, 1, sizes[2]! / 4, sizes[3]! / 6];
    expect(await compared({ op: 'Resize', x: [2, 4, 6], constants: [undefined, { floats: scales }], attributes })).toEqual([]);
  });

  it('to sizes, over one axis, and before opset 11', async () => {
    const sizes = { integers: [BATCH, 2, 8, 12] };
    expect(
      await compared({ op: 'Resize', x: [2, 4, 6], constants: [undefined, undefined, sizes], attributes: { mode: 'linear' } }),
    ).toEqual([]);
    expect(await compared({ op: 'Resize', opset: 10, x: [2, 4, 6], constants: [{ floats: [1, 1, 2, 3] }] })).toEqual([]);
    expect(await compared({ op: 'Upsample', opset: 9, x: [2, 4, 6], constants: [{ floats: [1, 1, 2, 2] }] })).toEqual([]);
  });
});
