/**
 * Which results of the primal graph a tangent graph should be given, and which it should compute again: matrix products and
 * convolutions are dear to repeat, everything else costs one pass over memory. What is made of other kept values, parameters
 * and data by cheap ops need not be kept (rematerialisation; Chen et al. 2016, "Training deep nets with sublinear memory
 * cost", section 3, where cheap ops are dropped).
 */
import { GraphBuilder } from './builder.js';
import type { DType, Graph, GraphNode, GraphOutput, LinearizedGraph, PrimalGraph, Shape } from './graph.js';
import type { Value } from './op.js';
import { fixedSize, freeAxes } from './shapes.js';

/** Ops whose cost is more than a pass over their operands. */
const isDear = (op: string): boolean => /^(matmul|conv)/.test(op);
/** Longer chains of cheap ops are not worth what they save. */
const maxRepeated = 12;

const widths: Readonly<Record<DType, number>> = { float32: 4, int64: 8, bool: 1 };

function bytesOf({ shape, dtype }: { readonly shape: Shape; readonly dtype: DType }, examples: number): number {
  return fixedSize(shape) * widths[dtype] * examples ** freeAxes(shape);
}

/**
 * The same linearization with kept results of at most `maxBytes` for so many examples, if that can be had without repeating
 * a dear op; else with as few as can be had so. What saves most for each repeated op is given up first.
 */
export function keepWithin(linearized: LinearizedGraph, examples: number, maxBytes: number): LinearizedGraph {
  const choice = new Choice(linearized.primal, examples);
  while (choice.bytes > maxBytes && choice.giveUpOne());
  return choice.apply(linearized);
}

interface Kept {
  /** The primal graph's value. */
  readonly value: string;
  /** The output that shows it. */
  readonly name: string;
  readonly bytes: number;
}

class Choice {
  readonly #nodes: ReadonlyMap<string, GraphNode>;
  readonly #given: ReadonlySet<string>;
  readonly #examples: number;
  /** By value. */
  readonly #kept = new Map<string, Kept>();
  readonly #givenUp: Kept[] = [];

  constructor(primal: PrimalGraph, examples: number) {
    const { graph } = primal;
    this.#examples = examples;
    this.#nodes = new Map(graph.nodes.map((node) => [node.output, node]));
    this.#given = new Set([...graph.inputs, ...graph.constants].map(({ name }) => name));
    const names = new Set(primal.kept);
    for (const output of graph.outputs) {
      if (!names.has(output.name)) continue;
      this.#kept.set(output.value, { value: output.value, name: output.name, bytes: bytesOf(output, examples) });
    }
  }

  get bytes(): number {
    return [...this.#kept.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Gives up the best value, or several for one that all of them are made of. False when nothing is left to gain. */
  giveUpOne(): boolean {
    const offers = [...this.#kept.values()].flatMap((kept) => this.#offer(kept) ?? []);
    const best = offers.reduce<Offer | undefined>((a, b) => (a === undefined || b.gain > a.gain ? b : a), undefined);
    if (best === undefined) return this.#swapForSource();
    this.#drop(best.kept);
    return true;
  }

  #drop(kept: Kept): void {
    this.#kept.delete(kept.value);
    this.#givenUp.push(kept);
  }

  #offer(kept: Kept): Offer | undefined {
    const repeated = this.#repeated(kept.value);
    return repeated === undefined || kept.bytes === 0 ? undefined : { kept, gain: kept.bytes / repeated.length };
  }

  /** The cheap nodes that make a value of what is kept or given, in order; undefined where a dear one would be needed. */
  #repeated(value: string, also?: string): GraphNode[] | undefined {
    const nodes = new Map<string, GraphNode>();
    const open = [value];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (nodes.has(name) || this.#given.has(name) || name === also || (name !== value && this.#kept.has(name))) continue;
      const node = this.#nodes.get(name);
      if (node === undefined || isDear(node.op) || nodes.size >= maxRepeated) return undefined;
      nodes.set(name, node);
      for (const input of node.inputs) open.push(input);
    }
    return [...nodes.values()];
  }

  /** A result of a dear op takes the place of two or more kept values that are cheap to make of it. */
  #swapForSource(): boolean {
    const sources = new Map<string, Kept[]>();
    for (const kept of this.#kept.values()) {
      for (const source of this.#sourcesOf(kept.value)) {
        if (this.#repeated(kept.value, source) !== undefined) sources.set(source, [...(sources.get(source) ?? []), kept]);
      }
    }
    let best: { readonly source: GraphNode; readonly made: readonly Kept[]; readonly saved: number } | undefined;
    for (const [name, made] of sources) {
      const source = this.#nodes.get(name)!;
      const saved = made.reduce((sum, { bytes }) => sum + bytes, 0) - bytesOf(source, this.#examples);
      if (saved > 0 && saved > (best?.saved ?? 0)) best = { source, made, saved };
    }
    if (best === undefined) return false;
    const { output } = best.source;
    this.#kept.set(output, { value: output, name: `kept/${output}`, bytes: bytesOf(best.source, this.#examples) });
    for (const kept of best.made) this.#drop(kept);
    return true;
  }

  /** The dear values, not kept, that one meets on the way back from a value. */
  #sourcesOf(value: string): ReadonlySet<string> {
    const sources = new Set<string>();
    const seen = new Set<string>();
    const open = [...(this.#nodes.get(value)?.inputs ?? [])];
    for (let name = open.pop(); name !== undefined && seen.size < maxRepeated; name = open.pop()) {
      const node = this.#nodes.get(name);
      if (node === undefined || seen.has(name) || this.#kept.has(name)) continue;
      seen.add(name);
      if (isDear(node.op)) sources.add(name);
      else for (const input of node.inputs) open.push(input);
    }
    return sources;
  }

  apply(linearized: LinearizedGraph): LinearizedGraph {
    if (this.#givenUp.length === 0) return linearized;
    const { primal, tangent } = linearized;
    const kept = [...this.#kept.values()];
    const names = new Set([...primal.kept, ...kept.map(({ name }) => name)]);
    const outputs: GraphOutput[] = primal.graph.outputs.filter(({ name }) => !names.has(name));
    for (const { name, value } of kept) {
      const type = this.#nodes.get(value) ?? primal.graph.inputs.find((input) => input.name === value)!;
      outputs.push({ name, value, dtype: type.dtype, shape: type.shape });
    }
    return {
      ...linearized,
      primal: { ...primal, graph: { ...primal.graph, outputs }, kept: kept.map(({ name }) => name) },
      tangent: { ...tangent, graph: this.#repeating(primal.graph, tangent.graph) },
    };
  }

  /** The tangent graph, which makes what was given up before it uses it. */
  #repeating(primal: Graph, tangent: Graph): Graph {
    const builder = new GraphBuilder();
    const values = new Map<string, Value>();
    // As the tangent graph has them, so that inputs keep their order and its roles.
    const droppedNames = new Set(this.#givenUp.map(({ name }) => name));
    for (const input of tangent.inputs) if (!droppedNames.has(input.name)) values.set(input.name, builder.input(input));
    const bound = new Map(values);
    const byValue = new Map<string, Value>();
    const make = (name: string): Value => {
      const made = byValue.get(name) ?? this.#leaf(builder, primal, values, name);
      byValue.set(name, made);
      return made;
    };
    const needed = new Set(this.#givenUp.flatMap(({ value }) => this.#allRepeated(value)));
    // The primal graph's order is one in which they can be made.
    for (const node of primal.nodes) {
      if (needed.has(node.output)) byValue.set(node.output, builder.apply(node.op, node.inputs.map(make), node.attributes));
    }
    for (const { name, value } of this.#givenUp)
      if (tangent.inputs.some((input) => input.name === name)) bound.set(name, make(value));
    const all = builder.inline(tangent, bound);
    return builder.build(
      tangent.outputs.map(({ name }) => ({ name, value: all.get(name)! })),
      [],
    );
  }

  /** Unlike `#repeated`, through values that were given up later. */
  #allRepeated(value: string): string[] {
    const names = new Set<string>();
    const open = [value];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (names.has(name) || this.#given.has(name) || this.#kept.has(name)) continue;
      names.add(name);
      open.push(...(this.#nodes.get(name)?.inputs ?? []));
    }
    return [...names];
  }

  #leaf(builder: GraphBuilder, primal: Graph, inputs: Map<string, Value>, name: string): Value {
    const constant = primal.constants.find((candidate) => candidate.name === name);
    if (constant !== undefined) return builder.constant(constant.shape as readonly number[], constant.data, constant.dtype);
    const kept = this.#kept.get(name);
    const type = kept === undefined ? primal.inputs.find((input) => input.name === name) : this.#nodes.get(name);
    if (type === undefined) throw new Error(`The primal graph has no value '${name}'`);
    const inputName = kept?.name ?? name;
    const known = inputs.get(inputName);
    if (known !== undefined) return known;
    const { dtype, shape } = type;
    const value = builder.input(
      kept === undefined ? primal.inputs.find((input) => input.name === name)! : { name: inputName, role: 'kept', dtype, shape },
    );
    inputs.set(inputName, value);
    return value;
  }
}

interface Offer {
  readonly kept: Kept;
  /** Bytes for each op that is repeated. */
  readonly gain: number;
}
