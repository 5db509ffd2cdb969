/** How the nodes of a graph are computed when some of its matrices lie the other way round; `orient.ts` says which. */
import { GraphBuilder, freshName } from './builder.js';
import { matmul, reshape, transpose } from './emit.js';
import type { Graph, GraphInput, GraphNode, ValueType } from './graph.js';
import { at, axesAttribute, flagAttribute } from './op.js';
import type { Value } from './op.js';
import { opNamed } from './ops/registry.js';

export const isMatrix = ({ shape }: ValueType): boolean => shape.length === 2;
const isElementwise = (node: GraphNode): boolean => opNamed(node.op).elementwise === true;

export interface Types {
  readonly input: ReadonlyMap<string, GraphInput>;
  readonly all: ReadonlyMap<string, ValueType>;
}

export function typesOf({ inputs, constants, nodes }: Graph): Types {
  const named = [...inputs, ...constants].map((value) => [value.name, value] as const);
  return {
    input: new Map(inputs.map((input) => [input.name, input])),
    all: new Map<string, ValueType>([...named, ...nodes.map((node) => [node.output, node] as const)]),
  };
}

/** How a node can be computed the other way round. */
export function kindOf(node: GraphNode, { all }: Types): 'elementwise' | 'product' | 'sum' | 'transpose' | 'as it is' {
  const inputs = node.inputs.map((name) => all.get(name)!);
  if (node.op === 'reduceSum') return inputs.every(isMatrix) ? 'sum' : 'as it is';
  if (!isMatrix(node)) return 'as it is';
  if (node.op === 'transpose') return 'transpose';
  if (node.op === 'matmul') return inputs.every(isMatrix) ? 'product' : 'as it is';
  return isElementwise(node) ? 'elementwise' : 'as it is';
}

export type Turned = (name: string) => boolean;

export interface Operand {
  readonly name: string;
  readonly transposed: boolean;
}

/** A product as it is computed when its operands and itself lie so. */
export function productOf({ inputs, attributes, output }: GraphNode, turned: Turned): { left: Operand; right: Operand } {
  const operand = (index: number, flag: string): Operand => {
    const name = at(inputs, index);
    return { name, transposed: flagAttribute(attributes, flag) !== turned(name) };
  };
  const [a, b] = [operand(0, 'transA'), operand(1, 'transB')];
  const other = ({ name, transposed }: Operand): Operand => ({ name, transposed: !transposed });
  return turned(output) ? { left: other(b), right: other(a) } : { left: a, right: b };
}

/** A kept result as the tangent graph takes it. */
export interface KeptInput {
  readonly name: string;
  readonly of: string;
  readonly turned: boolean;
}

/** Writes a graph with some of its matrices the other way round. */
export class Writer {
  readonly kept: KeptInput[] = [];
  readonly #builder = new GraphBuilder();
  readonly #graph: Graph;
  readonly #types: Types;
  readonly #isTurned: Turned;
  /** As they lie now. */
  readonly #values = new Map<string, Value>();
  readonly #taken: Set<string>;

  constructor(graph: Graph, turned: ReadonlySet<string>) {
    this.#graph = graph;
    this.#types = typesOf(graph);
    this.#isTurned = (name) => turned.has(name);
    this.#taken = new Set(graph.inputs.map(({ name }) => name));
  }

  written(): Graph {
    const e = this.#builder;
    for (const input of this.#graph.inputs) if (input.role !== 'kept') this.#values.set(input.name, e.input(input));
    for (const { name, shape, data, dtype } of this.#graph.constants) {
      this.#values.set(name, e.constant(shape as readonly number[], data, dtype));
    }
    for (const node of this.#graph.nodes) this.#values.set(node.output, this.#node(node));
    return e.build(
      this.#graph.outputs.map(({ name, value }) => ({ name, value: this.#lying(value, false) })),
      [],
    );
  }

  #node(node: GraphNode): Value {
    const e = this.#builder;
    const turned = this.#isTurned(node.output);
    switch (kindOf(node, this.#types)) {
      case 'product': {
        const { left, right } = productOf(node, this.#isTurned);
        const as = ({ name }: Operand): Value => this.#lying(name, this.#isTurned(name));
        return matmul(e, as(left), as(right), { transA: left.transposed, transB: right.transposed });
      }
      case 'elementwise': {
        const inputs = node.inputs.map((name) => (turned ? this.#stretchable(name) : this.#lying(name, false)));
        return e.apply(node.op, inputs, node.attributes);
      }
      case 'sum': {
        const name = at(node.inputs, 0);
        const other = this.#isTurned(name) && !this.#isKept(name);
        const axes = axesAttribute(node.attributes, 'axes').map((axis) => (other ? 1 - axis : axis));
        const sum = e.apply(node.op, [this.#lying(name, other)], { ...node.attributes, axes: axes.toSorted((a, b) => a - b) });
        return isMatrix(node) && other !== turned ? transpose(e, sum, [1, 0]) : sum;
      }
      case 'transpose':
        return this.#lying(at(node.inputs, 0), !turned);
      case 'as it is':
      default:
        return e.apply(
          node.op,
          node.inputs.map((name) => this.#lying(name, false)),
          node.attributes,
        );
    }
  }

  #isKept(name: string): boolean {
    return this.#types.input.get(name)?.role === 'kept';
  }

  /** An operand of an elementwise op that is turned: what has one axis lies along the first one now. */
  #stretchable(name: string): Value {
    const { shape } = this.#types.all.get(name)!;
    if (shape.length === 2) return this.#lying(name, true);
    const value = this.#lying(name, false);
    return shape.length === 1 ? reshape(this.#builder, value, [at(shape, 0), 1]) : value;
  }

  #lying(name: string, turned: boolean): Value {
    if (this.#isKept(name)) return this.#keptLying(name, turned);
    const value = this.#values.get(name)!;
    return this.#isTurned(name) === turned ? value : transpose(this.#builder, value, [1, 0]);
  }

  #keptLying(of: string, turned: boolean): Value {
    const key = `${of} ${turned ? 'turned' : 'as it was'}`;
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    const input = this.#types.input.get(of)!;
    const name = turned ? freshName(`${of}/turned`, this.#taken) : of;
    this.kept.push({ name, of, turned });
    const value = this.#builder.input({ ...input, name, shape: turned ? input.shape.toReversed() : input.shape });
    this.#values.set(key, value);
    return value;
  }
}
