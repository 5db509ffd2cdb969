/**
 * The Hessian-vector product as the forward derivative of the gradient (Pearlmutter 1994, "Fast exact multiplication by the
 * Hessian"), split into what depends on the parameters and the data only and what depends on the vector. The former is run
 * once per snapshot; a product then costs the latter.
 */
import { GraphBuilder, nameOf, reachable } from './builder.js';
import type { NamedValue } from './builder.js';
import { dependenceOn } from './dependence.js';
import { forward } from './differentiate.js';
import { emitGradient, gradientOutputs } from './gradient.js';
import type { GradientValues } from './gradient.js';
import type { Graph, LinearizedGraph, TangentGraph } from './graph.js';
import { withJoinedProducts } from './join-products.js';
import { collected } from './linear-forms.js';
import type { Value } from './op.js';
import { oriented } from './orient.js';
import { inputsOf } from './queries.js';
import { spatialFirst } from './spatial-first/spatial-first.js';

export interface LinearizeOptions {
  /**
   * `products`: as products of matrices in a transformed domain, where that takes less work (`spatial-first/`); what is kept
   * of an activation is then about twice as large as the activation. `plain`: as they are.
   */
  readonly convolutions?: 'products' | 'plain';
  /** Gradients and products come out divided by this, as by a number of examples that is known beforehand. */
  readonly divisor?: number;
}

/** For a training graph as `attachLoss` makes it. */
export function linearize(training: Graph, { convolutions = 'products', divisor = 1 }: LinearizeOptions = {}): LinearizedGraph {
  const builder = new GraphBuilder();
  const primal = emitGradient(builder, convolutions === 'products' ? spatialFirst(training) : training, undefined, divisor);
  const vectors = vectorInputs(builder, primal.parameters);
  const moved = forward(builder, primal.gradients, pairs(primal.parameters, vectors));
  return { ...separate(builder, primal, vectors, moved), divisor };
}

export const pairs = (parameters: readonly Value[], vectors: readonly Value[]): ReadonlyMap<Value, Value> =>
  new Map(parameters.map((parameter, i) => [parameter, vectors[i] ?? parameter]));

/** One input for each parameter's part of a vector. */
export const vectorInputs = (builder: GraphBuilder, parameters: readonly Value[]): Value[] =>
  parameters.map((parameter) =>
    builder.input({ name: `vector/${nameOf(parameter)}`, role: 'vector', dtype: parameter.dtype, shape: parameter.shape }),
  );

/** Splits products with the vectors (zero where one is missing) from what is computed once for all of them. */
export function separate(
  builder: GraphBuilder,
  primal: GradientValues,
  vectors: readonly Value[],
  moved: readonly (Value | undefined)[],
): LinearizedGraph {
  const isTangent = dependenceOn(vectors);
  const products = collected(
    builder,
    primal.parameters.map((parameter, i) => moved[i] ?? builder.filled(parameter.shape, 0)),
    isTangent,
  ).map((value, i) => ({ name: `product/${nameOf(primal.parameters[i] ?? value)}`, value }));
  const { graph, kept } = cutTangent(products, isTangent);
  const { outputs, names } = gradientOutputs(primal);
  const { primal: shown, tangent } = oriented({
    primal: { graph: builder.build([...outputs, ...kept]), ...names, kept: kept.map(({ name }) => name) },
    tangent: { graph, vectors: [vectors.map(nameOf)], products: [products.map(({ name }) => name)] },
  });
  return { primal: shown, tangent: { ...tangent, graph: withJoinedProducts(tangent.graph) } };
}

interface Cut {
  readonly graph: Graph;
  /** What the tangent graph takes from the primal one. */
  readonly kept: readonly NamedValue[];
}

/** Copies what depends on the vectors into a graph of its own; what it needs from outside becomes an input of that. */
function cutTangent(products: readonly NamedValue[], isTangent: (value: Value) => boolean): Cut {
  const builder = new GraphBuilder();
  const kept: NamedValue[] = [];
  const copies = new Map<Value, Value>();

  const keep = (value: Value): Value => {
    const name = `kept/${kept.length}`;
    kept.push({ name, value });
    return builder.input({ name, role: 'kept', dtype: value.dtype, shape: value.shape });
  };
  const make = (value: Value): Value => {
    const { source } = value;
    if (source.kind === 'constant') return builder.constant(value.shape as readonly number[], source.data, value.dtype);
    if (source.kind === 'input') return builder.input(source.input);
    return isTangent(value) || isKnown(value) || source.op === 'reshape'
      ? builder.apply(source.op, source.inputs.map(copy), source.attributes)
      : keep(value);
  };
  const copy = (value: Value): Value => {
    const known = copies.get(value);
    if (known !== undefined) return known;
    const made = make(value);
    copies.set(value, made);
    return made;
  };

  const inOrder = [...reachable(products.map(({ value }) => value))].sort((a, b) => a.index - b.index);
  // Inputs before what is made of them, so that the depth of a network is not a depth of calls.
  for (const value of inOrder) if (isTangent(value)) copy(value);
  const outputs = products.map(({ name, value }) => ({ name, value: copy(value) }));
  return { graph: builder.build(outputs, []), kept };
}

/** Made of constants alone, like a product that is zero: not worth a place among what is kept. */
const isKnown = (value: Value): boolean =>
  value.source.kind === 'constant' ||
  (value.source.kind === 'op' && value.source.op === 'expand' && value.source.inputs.every(isKnown));

/** A tangent graph for `count` vectors at once. What is kept is fed once; vectors stay apart, so none has to be copied. */
export function forVectors(tangent: TangentGraph, count: number): TangentGraph {
  const builder = new GraphBuilder();
  const shared = new Map(
    tangent.graph.inputs.filter((input) => input.role !== 'vector').map((input) => [input.name, builder.input(input)]),
  );
  const numbered = (name: string, k: number): string => `${name}@${k}`;
  const outputs: NamedValue[] = [];
  for (let k = 0; k < count; k++) {
    const vectors = inputsOf(tangent.graph, 'vector').map(
      (input) => [input.name, builder.input({ ...input, name: numbered(input.name, k) })] as const,
    );
    const values = builder.inline(tangent.graph, new Map([...shared, ...vectors]));
    for (const { name } of tangent.graph.outputs) {
      const value = values.get(name);
      if (value !== undefined) outputs.push({ name: numbered(name, k), value });
    }
  }
  const blocks = Array.from({ length: count }, (_, k) => k);
  const namesOf = (names: readonly (readonly string[])[]): string[][] =>
    blocks.map((k) => (names[0] ?? []).map((name) => numbered(name, k)));
  return { graph: builder.build(outputs, []), vectors: namesOf(tangent.vectors), products: namesOf(tangent.products) };
}
