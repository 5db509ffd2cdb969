import { GraphError, UnsupportedModel } from '../errors.js';
import type { Shape } from '../graph.js';
import type { Emit, OnnxNode, Value } from '../op.js';
import { factorOf, isFree } from '../shapes.js';
import type { WorkBudget } from '../work-budget.js';
import type { OnnxNodeProto, OnnxTensor } from './proto.js';
import type { KnownNode } from './known/rule.js';
import { knownFrom, valueOf } from './known/known.js';
import type { KnownTensor } from './known/known.js';
import type { MakingNode } from './known/making.js';

export interface TensorValue {
  readonly kind: 'tensor';
  readonly value: Value;
  /** Why it could not be worked out while importing. */
  readonly unknownBecause?: string;
}
export type ImportedValue = TensorValue | KnownTensor;

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
export class NodeView implements OnnxNode, MakingNode {
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

  get work(): WorkBudget {
    return this.#emit.work;
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
    return value.kind === 'tensor' ? value.value : valueOf(this.#emit, value);
  }

  sizes(index: number): Shape {
    const dims = this.known(index)?.data;
    if (dims === undefined) {
      const input = this.#inputs[index];
      const reason = input?.kind === 'tensor' && input.unknownBecause ? `: ${input.unknownBecause}` : '';
      const problem = `input ${index} is not known before the model runs${reason}`;
      throw this.unsupported(problem, 'sizes and axes that do not depend on data');
    }
    const odd = dims.find((dim) => isFree(dim) && !(Number.isInteger(factorOf(dim)) && factorOf(dim) > 0));
    if (odd === undefined) return dims;
    throw this.unsupported(`input ${index} holds ${odd}`, 'whole multiples of the number of examples');
  }

  known(index: number): KnownTensor | undefined {
    const input = this.#inputs[index];
    return input?.kind === 'tensor' ? knownFrom(this.work, input.value) : input;
  }

  /** The node for a rule that works out what is known. */
  whereKnown(inputs: readonly (KnownTensor | undefined)[]): KnownNode {
    const operand = (index: number): KnownTensor => {
      const tensor = inputs[index];
      if (tensor === undefined) throw this.unsupported(`input ${index} is missing`);
      return tensor;
    };
    return {
      inputs: inputs.filter((input) => input !== undefined),
      operand,
      work: this.work,
      opset: this.opset,
      has: (index) => inputs[index] !== undefined,
      int: (name, byDefault) => this.int(name, byDefault),
      ints: (name) => this.ints(name),
      unsupported: (reason, expected) => this.unsupported(reason, expected),
    };
  }

  number(index: number): number {
    const { source } = this.input(index);
    const number = source.kind === 'constant' && source.data.length === 1 ? source.data[0] : undefined;
    if (number === undefined) throw this.unsupported(`input ${index} is not one constant number`, 'a constant number');
    return number;
  }

  int(name: string, byDefault: number): number {
    const attribute = this.#attribute(name);
    // Some writers leave out a zero.
    return attribute === undefined ? byDefault : (attribute.i ?? 0);
  }

  float(name: string, byDefault: number): number {
    const attribute = this.#attribute(name);
    return attribute === undefined ? byDefault : (attribute.f ?? 0);
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

  tensor(name: string): OnnxTensor | undefined {
    return this.#attribute(name)?.t;
  }

  unsupported(reason: string, expected?: string): Error {
    return unsupportedAt(this.#node, reason, expected);
  }

  #attribute(name: string): OnnxNodeProto['attribute'][number] | undefined {
    return this.#node.attribute.find((attribute) => attribute.name === name);
  }
}
