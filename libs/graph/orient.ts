/**
 * Which way round the matrices of a tangent graph lie. Derivative rules write products whose left operand is transposed, and
 * data at the left of a product, where a runtime can neither read it in order nor lay it out once. A matrix may as well be
 * computed the other way round, (AB)ᵀ = BᵀAᵀ: elementwise ops do not mind, and what is kept is transposed once a snapshot. For
 * a network of matrix products this brings the examples to the last axis.
 */
import { freshName } from './builder.js';
import type { Graph, GraphNode, GraphOutput, LinearizedGraph, PrimalGraph, ValueType } from './graph.js';
import { at } from './op.js';
import { isMatrix, kindOf, productOf, typesOf, Writer } from './oriented-graph.js';
import type { KeptInput, Turned, Types } from './oriented-graph.js';
import { elementsOf, nominalExamples } from './shapes.js';

/** Per element, about as many passes over memory as it takes; from ONNX Runtime on a CPU. */
const costs = { transpose: 3, leftTransposed: 4, leftData: 4, rightTransposed: 1 };
const maxPasses = 16;

/** The same linearization; what is kept may be transposed. */
export function oriented(linearized: LinearizedGraph): LinearizedGraph {
  const turned = new Orientation(linearized.tangent.graph).turned();
  if (turned.size === 0) return linearized;
  const writer = new Writer(linearized.tangent.graph, turned);
  const graph = writer.written();
  return { ...linearized, primal: keeping(linearized.primal, writer.kept), tangent: { ...linearized.tangent, graph } };
}

const sizeOf = ({ shape }: ValueType): number => elementsOf(shape, nominalExamples);

/** A part of the cost, and whose way round it depends on. */
interface Term {
  readonly names: readonly string[];
  readonly cost: (turned: Turned) => number;
}

/** Looks for the way round of each matrix that makes the graph cheapest. */
class Orientation {
  readonly #types: Types;
  /** Matrices that lie the same way, by one of them. Those that are not here lie as they are. */
  readonly #groups = new Map<string, string>();
  readonly #terms: Term[] = [];

  constructor(graph: Graph) {
    this.#types = typesOf(graph);
    for (const node of graph.nodes) this.#group(node);
    for (const node of graph.nodes) this.#weigh(node);
    for (const output of graph.outputs) this.#toBeAsItWas(output.value);
  }

  /** Nodes and kept inputs of products that are better made the other way round. */
  turned(): ReadonlySet<string> {
    const best = [this.#settled(false), this.#settled(true)].reduce((a, b) => (b.cost < a.cost ? b : a));
    return new Set([...this.#groups.keys()].filter((name) => best.turned(name)));
  }

  #group(node: GraphNode): void {
    const kind = kindOf(node, this.#types);
    if (kind === 'product') {
      for (const name of node.inputs) if (this.#isKept(name)) this.#groups.set(name, this.#groups.get(name) ?? name);
    }
    if (kind === 'as it is' || !isMatrix(node)) return;
    this.#groups.set(node.output, node.output);
    if (kind === 'elementwise' || kind === 'sum') for (const name of node.inputs) this.#unite(node.output, name);
  }

  #unite(a: string, b: string): void {
    if (this.#isKept(b) || !this.#groups.has(b)) return;
    const [first, second] = [this.#rootOf(a), this.#rootOf(b)];
    if (first !== second) this.#groups.set(first, second);
  }

  #rootOf(name: string): string {
    let root = name;
    for (let next = this.#groups.get(root); next !== undefined && next !== root; next = this.#groups.get(root)) root = next;
    if (this.#groups.has(name)) this.#groups.set(name, root);
    return root;
  }

  #isKept(name: string): boolean {
    const input = this.#types.input.get(name);
    return input?.role === 'kept' && isMatrix(input);
  }

  #type(name: string): ValueType {
    return this.#types.all.get(name)!;
  }

  #weigh(node: GraphNode): void {
    switch (kindOf(node, this.#types)) {
      case 'product':
        this.#terms.push({ names: [node.output, ...node.inputs], cost: (turned) => this.#costOfProduct(node, turned) });
        return;
      case 'transpose': {
        const input = at(node.inputs, 0);
        const cost = costs.transpose * sizeOf(node);
        this.#terms.push({
          names: [node.output, input],
          cost: (turned) => (turned(node.output) === turned(input) ? cost : 0),
        });
        return;
      }
      case 'elementwise':
        // What is neither kept nor known would be transposed for each product.
        for (const name of node.inputs) {
          const isFixed = this.#types.input.has(name) ? !this.#isKept(name) : !this.#groups.has(name);
          if (!isFixed || !isMatrix(this.#type(name))) continue;
          const cost = costs.transpose * sizeOf(this.#type(name));
          this.#terms.push({ names: [node.output], cost: (turned) => (turned(node.output) ? cost : 0) });
        }
        return;
      case 'sum':
        return;
      case 'as it is':
      default:
        for (const name of node.inputs) this.#toBeAsItWas(name);
    }
  }

  #toBeAsItWas(name: string): void {
    if (this.#isKept(name) || !this.#groups.has(name)) return;
    const cost = costs.transpose * sizeOf(this.#type(name));
    this.#terms.push({ names: [name], cost: (turned) => (turned(name) ? cost : 0) });
  }

  #costOfProduct(node: GraphNode, turned: Turned): number {
    const { left, right } = productOf(node, turned);
    const isData = (name: string): boolean => this.#types.input.get(name)?.role === 'data';
    const perLeft = (left.transposed ? costs.leftTransposed : 0) + (isData(left.name) ? costs.leftData : 0);
    const perRight = right.transposed && !isData(right.name) ? costs.rightTransposed : 0;
    return perLeft * sizeOf(this.#type(left.name)) + perRight * sizeOf(this.#type(right.name));
  }

  /** From all one way, group after group, as long as one gains by turning. */
  #settled(from: boolean): { readonly turned: Turned; readonly cost: number } {
    const roots = [...new Set([...this.#groups.keys()].map((name) => this.#rootOf(name)))];
    const ways = new Map(roots.map((root) => [root, from]));
    const turned: Turned = (name) => this.#groups.has(name) && ways.get(this.#rootOf(name))!;
    const concerning = new Map<string, Term[]>(roots.map((root) => [root, []]));
    for (const term of this.#terms) {
      for (const root of new Set(term.names.filter((name) => this.#groups.has(name)).map((name) => this.#rootOf(name)))) {
        concerning.get(root)!.push(term);
      }
    }
    const costOf = (terms: readonly Term[]): number => terms.reduce((sum, term) => sum + term.cost(turned), 0);
    for (let pass = 0, changed = true; changed && pass < maxPasses; pass++) {
      changed = false;
      for (const root of roots) {
        const terms = concerning.get(root)!;
        const before = costOf(terms);
        ways.set(root, !ways.get(root)!);
        if (costOf(terms) < before) changed = true;
        else ways.set(root, !ways.get(root)!);
      }
    }
    return { turned, cost: costOf(this.#terms) };
  }
}

/** A primal graph that shows what the tangent graph takes, some of it transposed. */
function keeping(primal: PrimalGraph, wanted: readonly KeptInput[]): PrimalGraph {
  const { graph } = primal;
  const taken = new Set([...graph.inputs, ...graph.constants].map(({ name }) => name));
  for (const { output } of graph.nodes) taken.add(output);
  const kept = new Set(primal.kept);
  const shown = new Map(graph.outputs.map((output) => [output.name, output]));
  const nodes = [...graph.nodes];
  const outputs: GraphOutput[] = graph.outputs.filter(({ name }) => !kept.has(name));
  for (const { name, of, turned } of wanted) {
    const { value, dtype, shape } = shown.get(of)!;
    if (!turned) {
      outputs.push({ name, value, dtype, shape });
      continue;
    }
    const output = freshName(`transpose_${nodes.length}`, taken);
    nodes.push({
      op: 'transpose',
      inputs: [value],
      output,
      attributes: { permutation: [1, 0] },
      dtype,
      shape: shape.toReversed(),
    });
    outputs.push({ name, value: output, dtype, shape: shape.toReversed() });
  }
  return { ...primal, graph: { ...graph, nodes, outputs }, kept: wanted.map(({ name }) => name) };
}
