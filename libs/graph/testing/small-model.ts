/** Small ONNX files for tests, and what ONNX Runtime makes of them beside what this room makes of them. */
import * as ort from 'onnxruntime-node';
import { importOnnx } from '../onnx/import.js';
import { elementType, encodeModel } from '../onnx/proto.js';
import { elements, referenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { differences, uniform } from './numbers.js';

export type AttributeValue = { readonly float: number } | { readonly tensor: SmallTensor } | number | string | readonly number[];

export interface SmallTensor {
  readonly type: 'float' | 'int64' | 'bool';
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

export interface SmallNode {
  readonly op: string;
  /** Names of inputs, constants and results of nodes before it; '' for one that is left out. */
  readonly inputs: readonly string[];
  /** `y` unless it is said otherwise. */
  readonly outputs?: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

export interface SmallInput {
  readonly shape: readonly (number | 'batch')[];
  /** Whole numbers below this; floats otherwise. */
  readonly below?: number;
}

export interface SmallModel {
  readonly opset?: number;
  readonly inputs: Readonly<Record<string, SmallInput>>;
  readonly constants?: Readonly<Record<string, SmallTensor>>;
  readonly nodes: readonly SmallNode[];
  /** Floats; `y` unless it is said otherwise. */
  readonly outputs?: readonly string[];
}

export const int64s = (values: readonly number[], dims: readonly number[] = [values.length]): SmallTensor => ({
  type: 'int64',
  dims,
  values,
});
export const floats = (values: readonly number[], dims: readonly number[] = [values.length]): SmallTensor => ({
  type: 'float',
  dims,
  values,
});
export const bools = (values: readonly number[], dims: readonly number[] = [values.length]): SmallTensor => ({
  type: 'bool',
  dims,
  values,
});

const rawData = {
  float: (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer),
  int64: (values: readonly number[]) => new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
  bool: (values: readonly number[]) => Uint8Array.from(values),
};

const tensorProto = (name: string, { type, dims, values }: SmallTensor): Record<string, unknown> => ({
  name,
  dims: [...dims],
  dataType: elementType[type],
  rawData: rawData[type](values),
});

function attributeProto([name, value]: readonly [string, AttributeValue]): Record<string, unknown> {
  if (typeof value === 'number') return { name, type: 2, i: value };
  if (typeof value === 'string') return { name, type: 3, s: new TextEncoder().encode(value) };
  if ('float' in value) return { name, type: 1, f: value.float };
  if ('tensor' in value) return { name, type: 4, t: tensorProto(name, value.tensor) };
  return { name, type: 7, ints: [...value] };
}

export function smallModel({ opset = 17, inputs, constants = {}, nodes, outputs = ['y'] }: SmallModel): Uint8Array {
  const info = (name: string, elemType: number, shape?: SmallInput['shape']): Record<string, unknown> => {
    const dim = shape?.map((size) => (size === 'batch' ? { dimParam: size } : { dimValue: size }));
    return { name, type: { tensorType: { elemType, ...(dim && { shape: { dim } }) } } };
  };
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: 'small',
      node: nodes.map(({ op, inputs: input, outputs: output = ['y'], attributes = {} }, i) => ({
        opType: op,
        name: `${op} ${i}`,
        input,
        output,
        attribute: Object.entries(attributes).map(attributeProto),
      })),
      initializer: Object.entries(constants).map(([name, tensor]) => tensorProto(name, tensor)),
      input: Object.entries(inputs).map(([name, { shape, below }]) =>
        info(name, below === undefined ? elementType.float : elementType.int64, shape),
      ),
      output: outputs.map((name) => info(name, elementType.float)),
    },
  });
}

/** Where the two differ, for this number of examples. */
export async function smallDifferences(model: SmallModel, batch: number, seed = 3): Promise<string[]> {
  const bytes = smallModel(model);
  const next = uniform(seed);
  const data = Object.entries(model.inputs).map(([name, { shape, below }]) => {
    const dims = shape.map((size) => (size === 'batch' ? batch : size));
    const values = Float64Array.from({ length: elements(dims) }, () =>
      below === undefined ? Math.fround(next()) : Math.floor(((next() + 1) / 2) * below),
    );
    const type = below === undefined ? 'float32' : 'int64';
    const typed = type === 'int64' ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
    return { name, reference: referenceTensor(dims, values), tensor: new ort.Tensor(type, typed as never, dims) };
  });
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const expected = await session.run(Object.fromEntries(data.map(({ name, tensor }) => [name, tensor])));
  await session.release();
  const graph = importOnnx(bytes, { parameters: [], outputs: model.outputs ?? ['y'] });
  const inputs = graph.inputs.map((input, i) => [input.name, data[i]?.reference ?? referenceTensor([], [0])] as const);
  const actual = runReference(graph, Object.fromEntries(inputs));
  return (model.outputs ?? ['y']).flatMap((name) => {
    const [mine, theirs] = [actual[name], expected[name]];
    const shapes = `${mine?.shape.join()} for ${theirs?.dims.join()}`;
    if (mine?.shape.join() !== theirs?.dims.join()) return [`${name}: shape ${shapes}`];
    return differences(mine?.data, theirs?.data as Float32Array, 1e-5).map((text) => `${name} ${text}`);
  });
}
