/**
 * Builds graphs from values. The same op on the same inputs is one value (hash-consing), what is known is computed at once,
 * and each op's own rules of simplification are applied as it is used; so a graph that was built is already clean, and the
 * same calls give the same graph.
 */
import type {
  Attributes,
  ConstantData,
  DType,
  Dim,
  Graph,
  GraphConstant,
  GraphInput,
  GraphNode,
  GraphOutput,
  Role,
  Shape,
  ValueType,
} from './graph.js';
import { UnsupportedModel } from './errors.js';
import { limits } from './limits.js';
import { elements, inDouble } from './reference-tensor.js';
import { costOf, WorkBudget } from './work-budget.js';
import type { Emit, Source, Value } from './op.js';
import { opNamed } from './ops/registry.js';
import { factorOf, fixedSize, showShape, sizeOf } from './shapes.js';

/** Larger results are left to the executor, which folds constants itself and does it in place. */
const MAX_FOLDED_ELEMENTS = 4096;
/** Masks and positions: the pairs of a thousand tokens. Not every executor folds constants. */
const MAX_FOLDED_WHOLE_NUMBERS = 2 ** 21;
/** Larger constants are weights, which are left where they are. */
const MAX_READ_ELEMENTS = MAX_FOLDED_WHOLE_NUMBERS;
/** Larger constants are the same only when they are the same array. */
const MAX_COMPARED_ELEMENTS = 64;

export interface NamedValue {
  readonly name: string;
  readonly value: Value;
  readonly meaning?: GraphOutput['meaning'];
}

export class GraphBuilder implements Emit {
  readonly work = new WorkBudget();
  readonly #values = new Map<string, Value>();
  readonly #inputs: Value[] = [];
  readonly #arrays = new WeakMap<object, number>();
  readonly #simplify: boolean;
  readonly #maxValues: number;
  #count = 0;
  #arrayCount = 0;

  /** Without simplification a graph is what was written, to compare with. A graph of a stranger has at most so many values. */
  constructor({ simplify = true, maxValues = Infinity }: { readonly simplify?: boolean; readonly maxValues?: number } = {}) {
    this.#simplify = simplify;
    this.#maxValues = maxValues;
  }

  input(input: GraphInput): Value {
    const key = `input ${input.name}`;
    if (this.#values.has(key)) throw new Error(`There are two inputs '${input.name}'`);
    const value = this.#create(key, input, { kind: 'input', input });
    this.#inputs.push(value);
    return value;
  }

  constant(shape: readonly number[], data: ConstantData, dtype: DType = 'float32'): Value {
    if (data.length !== elements(shape)) throw new Error(`${data.length} numbers do not fill [${shape.join(', ')}]`);
    const key = `constant ${dtype} [${shape.join(',')}] ${this.#contentKey(data)}`;
    return this.#create(key, { dtype, shape }, { kind: 'constant', data });
  }

  scalar(value: number): Value {
    return this.constant([], Float64Array.of(value));
  }

  /** Zeros, or any other number, without a free axis. */
  filled(shape: Shape, value: number): Value {
    return this.apply('expand', [this.scalar(value)], { shape });
  }

  apply(op: string, given: readonly Value[], attributes: Attributes = {}): Value {
    const definition = opNamed(op);
    const inputs = definition.commutative ? given.toSorted((a, b) => a.index - b.index) : given;
    const shape = definition.shape(inputs, attributes);
    checkSize(shape);
    const dtype = definition.dtype?.(inputs, attributes) ?? 'float32';
    const simpler = this.#simplify
      ? (this.#folded(op, inputs, attributes, { dtype, shape }) ?? definition.simplify?.(this, inputs, attributes))
      : undefined;
    if (simpler !== undefined) return simpler;
    const key = `${op}(${inputs.map((input) => input.index).join(',')})${attributesKey(attributes)}`;
    return this.#create(key, { dtype, shape }, { kind: 'op', op, inputs, attributes });
  }

  /**
   * Copies a graph in; inputs that are not bound become inputs of this one, and `write` may make another value of a node.
   * Returns all its values by their names.
   */
  inline(
    graph: Graph,
    bound: ReadonlyMap<string, Value> = new Map(),
    write = (node: GraphNode, inputs: readonly Value[]): Value => this.apply(node.op, inputs, node.attributes),
  ): Map<string, Value> {
    const values = new Map<string, Value>();
    const get = (name: string): Value => {
      const value = values.get(name);
      if (value === undefined) throw new Error(`The graph has no value '${name}'`);
      return value;
    };
    for (const input of graph.inputs) values.set(input.name, bound.get(input.name) ?? this.input(input));
    for (const constant of graph.constants) {
      values.set(constant.name, this.constant(constant.shape as readonly number[], constant.data, constant.dtype));
    }
    for (const node of graph.nodes) values.set(node.output, write(node, node.inputs.map(get)));
    for (const output of graph.outputs) values.set(output.name, get(output.value));
    return values;
  }

  /** The graph of these outputs, without what they do not need. Inputs with a role in `always` stay even when unused. */
  build(outputs: readonly NamedValue[], always: readonly Role[] = ['parameter', 'data', 'target']): Graph {
    const used = reachable(outputs.map((output) => output.value));
    const taken = new Set([...this.#inputs.map(nameOf), ...outputs.map((output) => output.name)]);
    const names = new Map(this.#inputs.map((value) => [value, nameOf(value)]));
    const graphInputs: GraphInput[] = [];
    const constants: GraphConstant[] = [];
    const nodes: GraphNode[] = [];
    for (const value of this.#inputs) {
      const input = value.source.kind === 'input' ? value.source.input : undefined;
      if (input !== undefined && (used.has(value) || always.includes(input.role))) graphInputs.push(input);
    }
    for (const value of [...used].sort((a, b) => a.index - b.index)) {
      const { source, dtype, shape } = value;
      if (source.kind === 'input') continue;
      const name = freshName(source.kind === 'constant' ? `c${constants.length}` : `${source.op}_${nodes.length}`, taken);
      names.set(value, name);
      if (source.kind === 'constant') constants.push({ name, dtype, shape, data: source.data });
      else {
        const inputs = source.inputs.map((input) => names.get(input) ?? '');
        nodes.push({ op: source.op, inputs, output: name, attributes: source.attributes, dtype, shape });
      }
    }
    return { inputs: graphInputs, constants, nodes, outputs: outputs.map((output) => namedOutput(output, names)) };
  }

  #create(key: string, { dtype, shape }: ValueType, source: Source): Value {
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    checkSize(shape);
    if (this.#count >= this.#maxValues) {
      throw new UnsupportedModel(`The model makes more than ${this.#maxValues} values`, {
        field: 'graph',
        expected: `at most ${this.#maxValues} values, recurrences written out`,
      });
    }
    const value: Value = { index: this.#count++, dtype, shape, source };
    this.#values.set(key, value);
    return value;
  }

  #folded(op: string, inputs: readonly Value[], attributes: Attributes, { dtype, shape }: ValueType): Value | undefined {
    const size = sizeOf(shape);
    const most = dtype === 'float32' ? MAX_FOLDED_ELEMENTS : MAX_FOLDED_WHOLE_NUMBERS;
    if (inputs.length === 0 || size === undefined || size > most || op === 'expand') return undefined;
    if (inputs.some(({ source }) => source.kind !== 'constant')) return undefined;
    if (inputs.some((input) => fixedSize(input.shape) > MAX_READ_ELEMENTS)) return undefined;
    const definition = opNamed(op);
    if (!this.work.takes(costOf(definition, inputs, attributes, shape))) return undefined;
    const tensors = inputs.flatMap(({ source, shape: from }) =>
      source.kind === 'constant' ? [{ shape: from as readonly number[], data: inDouble(source.data) }] : [],
    );
    const fixed = shape as readonly number[];
    return this.constant(fixed, definition.reference(tensors, attributes, fixed), dtype);
  }

  #contentKey(data: ConstantData): string {
    if (data.length <= MAX_COMPARED_ELEMENTS) return data.join(',');
    const known = this.#arrays.get(data.buffer);
    const id = known ?? this.#arrayCount++;
    if (known === undefined) this.#arrays.set(data.buffer, id);
    return `array ${id} at ${data.byteOffset} (${data.constructor.name})`;
  }
}

const isCount = (dim: Dim): boolean => Number.isInteger(factorOf(dim)) && factorOf(dim) >= 0;

/** Before anybody takes memory for it. */
function checkSize(shape: Shape): void {
  const size = fixedSize(shape);
  if (shape.length <= limits.axes && size <= limits.valueElements && shape.every(isCount)) return;
  if (!shape.every(isCount))
    throw new UnsupportedModel(`A value of shape ${showShape(shape)}`, { expected: 'sizes of 0 or more' });
  throw new UnsupportedModel(`A value of shape ${showShape(shape.slice(0, limits.axes))} is too large`, {
    value: showShape(shape.slice(0, limits.axes)),
    expected: `at most ${limits.axes} axes and ${limits.valueElements} elements for one example`,
  });
}

export const nameOf = (value: Value): string => (value.source.kind === 'input' ? value.source.input.name : '');

/** These values and everything that they are made of. */
export function reachable(values: readonly Value[]): Set<Value> {
  const seen = new Set<Value>();
  const open = [...values];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (value.source.kind === 'op') for (const input of value.source.inputs) open.push(input);
  }
  return seen;
}

const attributesKey = (attributes: Attributes): string =>
  Object.keys(attributes)
    .sort()
    .map((name) => ` ${name}=${JSON.stringify(attributes[name])}`)
    .join('');

/** `wanted`, with a stroke for each time that it was taken. */
export function freshName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  while (taken.has(name)) name += "'";
  taken.add(name);
  return name;
}

function namedOutput({ name, value, meaning }: NamedValue, names: ReadonlyMap<Value, string>): GraphOutput {
  const common = { name, value: names.get(value) ?? '', dtype: value.dtype, shape: value.shape };
  return meaning === undefined ? common : { ...common, meaning };
}
