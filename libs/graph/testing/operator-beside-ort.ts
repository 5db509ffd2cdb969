/** One ONNX operator between casts: how it is read beside what ONNX Runtime makes of it itself. */
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from '../onnx/export.js';
import { importOnnx } from '../onnx/import.js';
import { attributeType, elementType, encodeModel } from '../onnx/proto.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';

export type Tensor = readonly [dims: readonly number[], values: readonly number[]];
type Kind = 'float' | 'int64' | 'bool';

/** An input: numbers that are fed (and cast, where `as` says so), or a constant of the file. */
export interface Input {
  readonly fed?: Tensor;
  readonly as?: Kind;
  readonly constant?: Tensor;
}

export interface Operator {
  readonly op: string;
  readonly case?: string;
  readonly opset?: number;
  readonly domain?: string;
  readonly inputs: readonly (Input | undefined)[];
  readonly ints?: Readonly<Record<string, number | readonly number[]>>;
  readonly floats?: Readonly<Record<string, number>>;
  readonly texts?: Readonly<Record<string, string>>;
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
/** Zeros of both signs, halves, bounds, a tie, infinities and NaN among plain numbers. */
export const edges: Tensor = [
  [3, 6],
  [0, -0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2.5, 3, -3, 0.2, inf, -inf, nan, 4.7, -6.3, 30],
];
export const positive: Tensor = [
  [2, 3],
  [0.3, 1.2, 0.7, 2.1, 1, 0],
];
export const wholes: Tensor = [
  [2, 4],
  [7, -7, 7, -7, 6, 0, -1, 5],
];

export const fed = (tensor: Tensor, as: Kind = 'float'): Input => ({ fed: tensor, as });
export const constant = (...values: readonly number[]): Input => ({ constant: [[values.length], values] });
export const numberOf = (value: number): Input => ({ constant: [[], [value]] });
export const axesOf = (...axes: readonly number[]): Input => ({ constant: [[axes.length], axes], as: 'int64' });
export const unary = (op: string, tensor: Tensor = edges, more: Partial<Operator> = {}): Operator => ({
  op,
  inputs: [fed(tensor)],
  ...more,
});

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function initializerOf(name: string, [dims, values]: Tensor, as: Kind = 'float'): Record<string, unknown> {
  const data = { float: { floatData: values }, int64: { int64Data: values }, bool: { int32Data: values } };
  return { name, dims, dataType: elementType[as], ...data[as] };
}

/** The operator between casts: numbers go in and come out. A free axis, of one example, is in front of the first input. */
function modelOf({ op, opset = 17, domain = '', inputs, ints = {}, floats = {}, texts = {} }: Operator): Uint8Array {
  const node: Record<string, unknown>[] = [];
  const initializer: Record<string, unknown>[] = [];
  const input: Record<string, unknown>[] = [];
  const cast = (from: string, to: string, kind: Kind): void => {
    node.push({
      opType: 'Cast',
      input: [from],
      output: [to],
      attribute: [{ name: 'to', type: attributeType.int, i: elementType[kind] }],
    });
  };
  const names = inputs.map((given, i) => {
    const name = `x${i}`;
    if (given?.constant) initializer.push(initializerOf(name, given.constant, given.as));
    if (!given?.fed) return given ? name : '';
    const dim = [...(i === 0 ? [{ dimParam: 'batch' }] : []), ...given.fed[0].map((size) => ({ dimValue: size }))];
    input.push({ name, type: { tensorType: { elemType: elementType.float, shape: { dim } } } });
    if (given.as === undefined || given.as === 'float') return name;
    cast(name, `${name}/cast`, given.as);
    return `${name}/cast`;
  });
  const attribute = [
    ...Object.entries(ints).map(([name, value]) =>
      typeof value === 'number' ? { name, type: attributeType.int, i: value } : { name, type: attributeType.ints, ints: value },
    ),
    ...Object.entries(floats).map(([name, f]) => ({ name, type: attributeType.float, f })),
    ...Object.entries(texts).map(([name, text]) => ({ name, type: 3, s: bytesOf(text) })),
  ];
  node.push({ opType: op, domain, name: 'it', input: names, output: ['result'], attribute });
  cast('result', 'y', 'float');
  const output = [{ name: 'y', type: { tensorType: { elemType: elementType.float } } }];
  const opsetImport = [
    { domain: '', version: opset },
    { domain: 'com.microsoft', version: 1 },
  ];
  return encodeModel({ irVersion: 8, opsetImport, graph: { name: 'one', node, initializer, input, output } });
}

const inputsOf = ({ inputs }: Operator): Record<string, ReferenceTensor> =>
  Object.fromEntries(
    inputs.flatMap((input, i) => {
      if (!input?.fed) return [];
      const [dims, values] = input.fed;
      return [[`x${i}`, referenceTensor(i === 0 ? [1, ...dims] : dims, values)] as const];
    }),
  );

async function inOrt(bytes: Uint8Array, inputs: Record<string, ReferenceTensor>): Promise<ort.Tensor> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [
    name,
    new ort.Tensor('float32', Float32Array.from(data), [...shape]),
  ]);
  const { y } = await session.run(Object.fromEntries(feeds));
  await session.release();
  if (y === undefined) throw new Error('The graph gave no result');
  return y;
}

/** Each number by itself: an infinite one must not excuse the others. */
function wrong(actual: ArrayLike<number>, expected: ArrayLike<number>): string[] {
  return Array.from(expected).flatMap((x, i) => {
    const a = actual[i] ?? 'nothing';
    const same =
      typeof a === 'number' && (Object.is(a, x) || Math.abs(a - x) <= 3e-6 * Math.max(1, Math.abs(Number.isFinite(x) ? x : 0)));
    return same ? [] : [`[${i}] ${a} for ${x}`];
  });
}

/** Each computes what ONNX Runtime makes of it, and does so still after it is written again. */
export function describeAsRead(kind: string, operators: readonly Operator[]): void {
  describe(`${kind} are read as what ONNX Runtime computes`, () => {
    it.each(operators.map((operator) => [`${operator.op} - ${operator.case ?? 'plain'}`, operator] as const))(
      '%s',
      async (_name, operator) => {
        const bytes = modelOf(operator);
        const inputs = inputsOf(operator);
        const expected = await inOrt(bytes, inputs);
        const graph = importOnnx(bytes, { parameters: Object.keys(inputs).slice(1) });
        const { y } = runReference(graph, inputs);
        expect(y?.shape).toEqual(expected.dims);
        expect(wrong(y?.data ?? [], expected.data as Float32Array)).toEqual([]);
        // Written again it is still the same.
        const again = await inOrt(exportOnnx(graph), inputs);
        expect(wrong(again.data as Float32Array, expected.data as Float32Array)).toEqual([]);
      },
    );
  });
}
