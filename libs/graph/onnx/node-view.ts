import { GraphError, UnsupportedModel } from '../errors.js';
import type { Shape } from '../graph.js';
import type { Emit, OnnxNode, Value } from '../op.js';
import { isFree } from '../shapes.js';
import type { OnnxNodeProto } from './proto.js';
import type { ShapeValue } from './shape-values.js';

export interface TensorValue {
  readonly kind: 'tensor';
  readonly value: Value;
}
export type ImportedValue = TensorValue | ShapeValue;

export const labelOf = (node: OnnxNodeProto): string => node.name || node.output[0] || node.opType || '?';

export function unsupportedAt(node: OnnxNodeProto, reason: string, expected?: string, cause?: unknown): UnsupportedModel {
  const detail = { field: `node ${labelOf(node)}`, value: node.opType ?? '' };
  const text = `Node '${labelOf(node)}' (${node.opType}): ${reason}`;
  return new UnsupportedModel(text, expected === undefined ? detail : { ...detail, expected }, cause);
}

/** An error about a node names the node; what is not an error of a model becomes one, because the file made it happen. */
export function atNode(node: OnnxNodeProto, error: unknown): GraphError {
  if (error instanceof GraphError && error.field !== undefined) return error;
  const expected = error instanceof GraphError ? error.expected : undefined;
  return unsupportedAt(node, error instanceof Error ? error.message : String(error), expected, error);
}

/** A node as the readers of the ops see it. */
export class NodeView implements OnnxNode {
  readonly opset: number;
  readonly #emit: Emit;
  readonly #node: OnnxNodeProto;
  readonly #inputs: readonly (ImportedValue | undefined)[];

  constructor(emit: Emit, node: OnnxNodeProto, inputs: readonly (ImportedValue | undefined)[], opset: number) {
    this.#emit = emit;
    this.#node = node;
    this.#inputs = inputs;
    this.opset = opset;
  }

  get inputCount(): number {
    return this.#inputs.length;
  }

  get outputCount(): number {
    return this.#node.output.length;
  }

  has(index: number): boolean {
    return this.#inputs[index] !== undefined;
  }

  input(index: number): Value {
    const value = this.#inputs[index];
    if (value === undefined) throw this.unsupported(`input ${index} is missing`);
    return value.kind === 'tensor' ? value.value : this.#wholeNumbers(value);
  }

  sizes(index: number): Shape {
    const value = this.#inputs[index];
    if (value?.kind === 'sizes') return value.dims;
    throw this.unsupported(`input ${index} is not known before the model runs`, 'sizes and axes that do not depend on data');
  }

  number(index: number): number {
    const { source } = this.input(index);
    const number = source.kind === 'constant' && source.data.length === 1 ? source.data[0] : undefined;
    if (number === undefined) throw this.unsupported(`input ${index} is not one constant number`, 'a constant number');
    return number;
  }

  int(name: string, byDefault: number): number {
    return this.#attribute(name)?.i ?? byDefault;
  }

  float(name: string, byDefault: number): number {
    return this.#attribute(name)?.f ?? byDefault;
  }

  ints(name: string): readonly number[] | undefined {
    return this.#attribute(name)?.ints;
  }

  floats(name: string): readonly number[] | undefined {
    return this.#attribute(name)?.floats;
  }

  text(name: string, byDefault: string): string {
    const bytes = this.#attribute(name)?.s;
    return bytes === undefined ? byDefault : new TextDecoder().decode(bytes);
  }

  texts(name: string): readonly string[] | undefined {
    return this.#attribute(name)?.strings.map((bytes) => new TextDecoder().decode(bytes));
  }

  unsupported(reason: string, expected?: string): Error {
    return unsupportedAt(this.#node, reason, expected);
  }

  /** Sizes that meet a tensor become one. */
  #wholeNumbers({ dims, scalar }: ShapeValue): Value {
    const numbers = dims.map((dim) => {
      if (isFree(dim)) throw this.unsupported('the number of examples as a tensor of whole numbers');
      return dim;
    });
    return this.#emit.constant(scalar ? [] : [numbers.length], Float64Array.from(numbers), 'int64');
  }

  #attribute(name: string): OnnxNodeProto['attribute'][number] | undefined {
    return this.#node.attribute.find((attribute) => attribute.name === name);
  }
}
