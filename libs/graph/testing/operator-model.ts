/** An ONNX file with one operator, to compare how it is read with what others make of it. */
import type { Graph } from '../graph.js';
import { importOnnx } from '../onnx/import.js';
import { attributeType, elementType, encodeModel } from '../onnx/proto.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { randomTensor, uniform } from './numbers.js';

export const BATCH = 3;

type AttributeValue = number | string | readonly number[] | readonly string[];
/** A constant. */
interface Integers {
  readonly integers: readonly number[];
  readonly dims: readonly number[];
  readonly type: 'int32' | 'bool';
}
type Input = readonly number[] | Integers | undefined;

export interface Operator {
  readonly op: string;
  readonly case: string;
  readonly opset: number;
  readonly domain?: string;
  /** Shapes. The first one is the data, −1 is its free axis; a −1 of another means one row that is stretched over the batch. */
  readonly inputs: readonly Input[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly outputs?: number;
  /** Which one is looked at. */
  readonly output?: number;
  readonly range?: readonly [number, number];
}

const isShape = (input: Input): input is readonly number[] => Array.isArray(input);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What is not whole is a float; `alpha` and the like are floats always. */
const floats = new Set(['alpha', 'beta', 'bias', 'epsilon', 'scale', 'softcap', 'clip', 'momentum']);

function attributeProto([name, value]: readonly [string, AttributeValue]): Record<string, unknown> {
  if (typeof value === 'string') return { name, type: 3, s: bytesOf(value) };
  if (typeof value === 'number') {
    return floats.has(name) ? { name, type: attributeType.float, f: value } : { name, type: attributeType.int, i: value };
  }
  const texts = value.filter((item) => typeof item === 'string');
  return texts.length > 0 ? { name, type: 8, strings: texts.map(bytesOf) } : { name, type: attributeType.ints, ints: [...value] };
}

const int64s = (name: string, values: readonly number[], dims: readonly number[] = [values.length]): Record<string, unknown> => ({
  name,
  dims,
  dataType: elementType.int64,
  rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

/** The data comes with its free axis in front and is transposed; what is stretched is expanded to the number of examples. */
export function modelOf({ op, opset, domain = '', inputs, attributes = {}, outputs = 1, output = 0 }: Operator): Uint8Array {
  const node: Record<string, unknown>[] = [];
  const initializer: Record<string, unknown>[] = [];
  const input: Record<string, unknown>[] = [];
  const declare = (name: string, dims: readonly (number | string)[]): void => {
    const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
    input.push({ name, type: { tensorType: { elemType: elementType.float, shape: { dim } } } });
  };
  const names = inputs.map((given, i) => {
    const name = `x${i}`;
    if (given === undefined) return '';
    if (!isShape(given)) {
      const { integers: int32Data, dims, type } = given;
      initializer.push({ name, dims, dataType: elementType[type], int32Data });
      return name;
    }
    const free = given.indexOf(-1);
    if (i === 0) {
      declare(name, ['batch', ...given.filter((size) => size >= 0)]);
      const perm = given.map((size, axis) => (size < 0 ? 0 : axis < free ? axis + 1 : axis));
      node.push({ opType: 'Transpose', input: [name], output: ['data'], attribute: [attributeProto(['perm', perm])] });
      return 'data';
    }
    declare(name, given.map(Math.abs));
    if (free < 0) return name;
    const sizes = given.map((size, axis) => int64s(`${name}/${axis}`, [size]));
    initializer.push(...sizes.filter((_, axis) => axis !== free));
    node.push(
      { opType: 'Shape', input: ['x0'], output: [`${name}/all`] },
      { opType: 'Slice', input: [`${name}/all`, 'zero', 'one'], output: [`${name}/${free}`] },
      {
        opType: 'Concat',
        input: sizes.map((size) => String(size['name'])),
        output: [`${name}/sizes`],
        attribute: [attributeProto(['axis', 0])],
      },
      { opType: 'Expand', input: [name, `${name}/sizes`], output: [`${name}/stretched`] },
    );
    return `${name}/stretched`;
  });
  initializer.push(int64s('zero', [0]), int64s('one', [1]));
  const results = Array.from({ length: outputs }, (_, i) => `y${i}`);
  node.push({
    opType: op,
    domain,
    name: 'it',
    input: names,
    output: results,
    attribute: Object.entries(attributes).map(attributeProto),
  });
  return encodeModel({
    irVersion: 8,
    opsetImport: [
      { domain: '', version: opset },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'one',
      node,
      initializer,
      input,
      output: [{ name: results[output], type: { tensorType: { elemType: elementType.float } } }],
    },
  });
}

export function inputsOf(operator: Operator): Record<string, ReferenceTensor> {
  const next = uniform(11);
  return Object.fromEntries(
    operator.inputs.flatMap((input, i) => {
      if (!isShape(input)) return [];
      const dims = i === 0 ? [BATCH, ...input.filter((size) => size >= 0)] : input.map(Math.abs);
      return [[`x${i}`, randomTensor(dims, next, operator.range)] as const];
    }),
  );
}

/** The graph of it; what is not the data is a parameter. */
export const importedFrom = (operator: Operator): Graph =>
  importOnnx(modelOf(operator), { parameters: Object.keys(inputsOf(operator)).slice(1) });

/** What we make of it, in double precision. */
export function resultOf(operator: Operator): ReferenceTensor {
  const [result] = Object.values(runReference(importedFrom(operator), inputsOf(operator)));
  if (result === undefined) throw new Error('The graph gave no result');
  return result;
}
