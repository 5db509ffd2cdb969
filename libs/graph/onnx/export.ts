import type { ConstantData, DType, Graph, GraphInput, Shape, ValueType } from '../graph.js';
import type { OnnxAttribute, OnnxWriter } from '../op.js';
import { opNamed } from '../ops/registry.js';
import { factorOf, isFree } from '../shapes.js';
import { attributeType, elementType, encodeModel } from './proto.js';

/** Written for ONNX Runtime 1.30, which runs opset 7 to 23; 17 is the newest that other runtimes of the last years know. */
const OPSET = 17;
const IR_VERSION = 8;

export const elementTypes: Readonly<Record<DType, number>> = {
  float32: elementType.float,
  int64: elementType.int64,
  bool: elementType.bool,
};

/**
 * Writes a graph as an ONNX file. Inputs and outputs keep their names and their order, parameters are plain inputs, the free
 * axis is called `batch`, constants are initializers in single precision.
 */
export function exportOnnx(graph: Graph): Uint8Array {
  const writer = new GraphWriter(graph);
  for (const { name, shape, data, dtype } of graph.constants) {
    writer.tensor(name, shape as readonly number[], typedData[dtype](data));
  }
  const types = valueTypes(graph);
  const written = outputNames(graph);
  const nameOf = (value: string): string => written.get(value) ?? value;
  for (const node of graph.nodes) {
    const inputTypes = node.inputs.map((name) => types.get(name) ?? node);
    const { attributes, inputs, output } = node;
    opNamed(node.op).onnx.write(writer, {
      inputs: inputs.map(nameOf),
      inputTypes,
      attributes,
      output: nameOf(output),
      outputType: node,
    });
  }
  for (const { name, value } of graph.outputs) if (nameOf(value) !== name) writer.node('Identity', [nameOf(value)], {}, name);
  return encodeModel({
    irVersion: IR_VERSION,
    producerName: 'stagewatch',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: 'graph',
      node: writer.nodes,
      initializer: writer.initializers,
      input: graph.inputs.map((input) => valueInfo(input.name, input)),
      output: graph.outputs.map((output) => valueInfo(output.name, output)),
      // ONNX Runtime opens a large graph several times faster when it need not find the shapes out.
      valueInfo: graph.nodes.flatMap((node) => (written.has(node.output) ? [] : [valueInfo(node.output, node)])),
    },
  });
}

function valueTypes(graph: Graph): ReadonlyMap<string, ValueType> {
  return new Map<string, ValueType>([
    ...[...graph.inputs, ...graph.constants].map((value) => [value.name, value] as const),
    ...graph.nodes.map((node) => [node.output, node] as const),
  ]);
}

/** A node whose value is an output writes it under the output's name. Further names, and inputs that pass through, need a copy. */
function outputNames(graph: Graph): ReadonlyMap<string, string> {
  const made = new Set(graph.nodes.map((node) => node.output));
  const names = new Map<string, string>();
  for (const { name, value } of graph.outputs) if (made.has(value) && !names.has(value)) names.set(value, name);
  return names;
}

function valueInfo(name: string, { dtype, shape }: ValueType): Record<string, unknown> {
  const dim = shape.map((size) => (isFree(size) ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType: elementTypes[dtype], shape: { dim } } } };
}

type TensorData = Float32Array | BigInt64Array | Uint8Array;

const typedData: Readonly<Record<DType, (data: ConstantData) => TensorData>> = {
  float32: (data) => Float32Array.from(data),
  int64: (data) => BigInt64Array.from(data, (x) => BigInt(x)),
  bool: (data) => Uint8Array.from(data),
};

function typeOf(data: TensorData): number {
  if (data instanceof Float32Array) return elementType.float;
  return data instanceof Uint8Array ? elementType.bool : elementType.int64;
}

class GraphWriter implements OnnxWriter {
  readonly nodes: Record<string, unknown>[] = [];
  readonly initializers: Record<string, unknown>[] = [];
  readonly #known = new Map<string, string>();
  readonly #taken: Set<string>;
  readonly #free: GraphInput | undefined;

  constructor(graph: Graph) {
    this.#taken = new Set([
      ...[...graph.inputs, ...graph.constants, ...graph.outputs].map(({ name }) => name),
      ...graph.nodes.map(({ output }) => output),
    ]);
    this.#free = graph.inputs.find((input) => input.shape.some(isFree));
  }

  node(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    output?: string,
    place = 0,
  ): string {
    const result = output ?? this.#fresh(opType);
    const before = Array.from({ length: place }, () => this.#fresh('unused'));
    const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
    this.nodes.push({ input: [...inputs], output: [...before, result], name: `node_${this.nodes.length}`, opType, attribute });
    return result;
  }

  tensor(name: string, dims: readonly number[], data: TensorData): void {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.initializers.push({ name, dims: [...dims], dataType: typeOf(data), rawData });
  }

  float(shape: readonly number[], values: ArrayLike<number>): string {
    const data = Float32Array.from(values);
    return this.#once(`float ${shape.join()}: ${data.join()}`, 'number', (name) => this.tensor(name, shape, data));
  }

  int64s(values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.#once(`int64 ${data.join()}`, 'sizes', (name) => this.tensor(name, [data.length], data));
  }

  sizes(shape: Shape): string {
    if (!shape.some(isFree)) return this.int64s(shape as readonly number[]);
    const parts = shape.map((dim) => (isFree(dim) ? this.#examples(factorOf(dim)) : this.int64s([dim])));
    if (parts.length === 1) return parts[0] ?? '';
    return this.#once(`sizes ${shape.join()}`, 'sizes', (name) => void this.node('Concat', parts, { axis: { int: 0 } }, name));
  }

  /** A multiple of the number of examples, which is read off an input. */
  #examples(factor: number): string {
    const input = this.#free;
    if (input === undefined) throw new Error('A graph with a free axis has an input with one');
    const start = input.shape.findIndex(isFree);
    const counted = factorOf(input.shape[start] ?? 1);
    const size = this.#once('size', 'examples', (name) => {
      this.node('Shape', [input.name], { start: { int: start }, end: { int: start + 1 } }, name);
    });
    if (factor === counted) return size;
    return this.#once(`examples ${factor}`, 'examples', (name) => {
      const one = counted === 1 ? size : this.node('Div', [size, this.int64s([counted])]);
      this.node('Mul', [one, this.int64s([factor])], {}, name);
    });
  }

  #once(key: string, prefix: string, make: (name: string) => void): string {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const name = this.#fresh(prefix);
    this.#known.set(key, name);
    make(name);
    return name;
  }

  #fresh(prefix: string): string {
    for (let i = this.#taken.size; ; i++) {
      const name = `${prefix}:${i}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }
}

function attributeProto(name: string, value: OnnxAttribute): Record<string, unknown> {
  if ('int' in value) return { name, type: attributeType.int, i: value.int };
  if ('ints' in value) return { name, type: attributeType.ints, ints: [...value.ints] };
  if ('text' in value) return { name, type: attributeType.string, s: new TextEncoder().encode(value.text) };
  return { name, type: attributeType.float, f: value.float };
}
