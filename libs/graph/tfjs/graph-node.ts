/** One node of a TensorFlow graph as the readers of its operators see it. */
import type { GraphBuilder } from '../builder.js';
import { UnsupportedModel } from '../errors.js';
import type { Dim, DType, Shape } from '../graph.js';
import { known, knownFrom } from '../onnx/known/known.js';
import type { KnownTensor } from '../onnx/known/known.js';
import type { ImportedValue } from '../onnx/node-view.js';
import type { OnnxAttributeProto } from '../onnx/proto.js';
import { readNode } from '../onnx/read-node.js';
import type { OnnxAttribute } from '../op.js';
import type { TensorFlowNode } from './graph-def.js';

/** The value of an input, or of an ONNX operator that a reader has written. */
export type Part = ImportedValue;
/** The node's outputs in order. */
export type TensorFlowReader = (node: GraphNodeView) => Part | readonly Part[];

/** Operators are written as those of this version. */
const OPSET = 18;

const protoOf = (name: string, attribute: OnnxAttribute): OnnxAttributeProto => {
  const empty = { name, floats: [], ints: [], strings: [] };
  if ('int' in attribute) return { ...empty, i: attribute.int };
  if ('ints' in attribute) return { ...empty, ints: attribute.ints };
  if ('float' in attribute) return { ...empty, f: attribute.float };
  return { ...empty, s: new TextEncoder().encode(attribute.text) };
};

export class GraphNodeView {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Part[];
  readonly #builder: GraphBuilder;
  readonly #attributes: Readonly<Record<string, unknown>>;

  constructor(builder: GraphBuilder, { name, op, attr = {} }: TensorFlowNode, inputs: readonly Part[]) {
    this.#builder = builder;
    this.name = name;
    this.op = op;
    this.#attributes = attr;
    this.inputs = inputs;
  }

  input(index: number): Part {
    const part = this.inputs[index];
    if (part === undefined) throw this.unsupported(`input ${index} is missing`, `at least ${index + 1} inputs`);
    return part;
  }

  shapeOf = (part: Part): Shape => (part.kind === 'known' ? part.shape : part.value.shape);
  dtypeOf = (part: Part): DType => (part.kind === 'known' ? part.dtype : part.value.dtype);

  /** Sizes, axes and the like: known while importing. */
  known(index: number): KnownTensor {
    const part = this.input(index);
    const tensor = part.kind === 'known' ? part : knownFrom(this.#builder.work, part.value);
    if (tensor !== undefined) return tensor;
    throw this.unsupported(`input ${index} is not known before the model runs`, 'sizes and axes that do not depend on data');
  }

  /** Known numbers without the number of examples in them. */
  numbers(index: number): readonly number[] {
    return this.known(index).data.map((dim) => {
      if (typeof dim === 'number') return dim;
      throw this.unsupported(`input ${index} holds ${dim}`, 'numbers that do not depend on the number of examples');
    });
  }

  number(index: number): number {
    const [number, ...others] = this.numbers(index);
    if (number === undefined || others.length > 0) throw this.unsupported(`input ${index} is no single number`, 'one number');
    return number;
  }

  wholes = (data: readonly Dim[]): Part => known('int64', [data.length], data);
  scalar = (value: number): Part => ({ kind: 'tensor', value: this.#builder.scalar(value) });
  /** A number that goes with this value in an operation of two. */
  scalarLike = (part: Part, value: number): Part =>
    this.dtypeOf(part) === 'float32' ? this.scalar(value) : known(this.dtypeOf(part), [], [value]);

  /** What an ONNX operator makes of these. */
  onnx(op: string, inputs: readonly (Part | undefined)[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): Part {
    const [result] = this.onnxParts(op, inputs, 1, attributes);
    if (result === undefined) throw this.unsupported(`${op} has no result`, 'a result');
    return result;
  }

  onnxParts(
    op: string,
    inputs: readonly (Part | undefined)[],
    outputs: number,
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): readonly Part[] {
    const values = new Map<string, ImportedValue>();
    const input = inputs.map((part, i) => {
      if (part === undefined) return '';
      values.set(`in${i}`, part);
      return `in${i}`;
    });
    const output = Array.from({ length: outputs }, (_, i) => `out${i}`);
    const attribute = Object.entries(attributes).map(([name, value]) => protoOf(name, value));
    readNode(this.#builder, values, { name: this.name, opType: op, input, output, attribute }, OPSET);
    return output.flatMap((name) => values.get(name) ?? []);
  }

  int(name: string, byDefault: number): number {
    const value = this.#field(name, 'i') ?? byDefault;
    const number = typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN;
    if (Number.isSafeInteger(number)) return number;
    throw this.#odd(name, 'a whole number');
  }

  float(name: string, byDefault: number): number {
    const value = this.#field(name, 'f') ?? byDefault;
    if (typeof value === 'number') return value;
    throw this.#odd(name, 'a number');
  }

  flag(name: string, byDefault = false): boolean {
    const value = this.#field(name, 'b') ?? byDefault;
    if (typeof value === 'boolean') return value;
    throw this.#odd(name, 'true or false');
  }

  type(name: string): string {
    const value = this.#field(name, 'type') ?? '';
    if (typeof value === 'string') return value;
    throw this.#odd(name, 'a type');
  }

  text(name: string, byDefault: string): string {
    const value = this.#field(name, 's');
    return value === undefined ? byDefault : this.#decoded(name, value);
  }

  texts(name: string): readonly string[] {
    return this.#list(name, 's').map((each) => this.#decoded(name, each));
  }

  ints(name: string): readonly number[] {
    return this.#list(name, 'i').map((each) => {
      const number = typeof each === 'string' || typeof each === 'number' ? Number(each) : Number.NaN;
      if (Number.isSafeInteger(number)) return number;
      throw this.#odd(name, 'whole numbers');
    });
  }

  unsupported(reason: string, expected: string): UnsupportedModel {
    const detail = { field: `node ${this.name}`, value: this.op, expected };
    return new UnsupportedModel(`Node '${this.name}' (${this.op}): ${reason}`, detail);
  }

  #odd(name: string, expected: string): UnsupportedModel {
    return this.unsupported(`its attribute '${name}' is not understood`, expected);
  }

  #field(name: string, field: string): unknown {
    const attribute = Object.hasOwn(this.#attributes, name) ? this.#attributes[name] : undefined;
    if (attribute === undefined || attribute === null) return undefined;
    if (typeof attribute !== 'object') throw this.#odd(name, `an object with '${field}'`);
    return (attribute as Readonly<Record<string, unknown>>)[field];
  }

  #list(name: string, field: string): readonly unknown[] {
    const list = this.#field(name, 'list') as Readonly<Record<string, unknown>> | null | undefined;
    const values = list?.[field] ?? [];
    if (Array.isArray(values)) return values as unknown[];
    throw this.#odd(name, 'a list');
  }

  /** Texts are bytes in protobuf, which its JSON writes in base64. */
  #decoded(name: string, value: unknown): string {
    try {
      if (typeof value === 'string') return atob(value);
    } catch {
      // Said below.
    }
    throw this.#odd(name, 'a text in base64');
  }
}
