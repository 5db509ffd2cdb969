/**
 * Whether an example's loss depends on other examples of its chunk, as through batch normalisation in training mode. Cutting
 * such a probe set into chunks changes the result.
 *
 * Each value is followed by its axis of examples: the part of the value at example i depends on example i only. The rules are
 * by op; of an op without a rule the worst is assumed, because a chunk too large costs memory and a wrong one gives wrong numbers.
 */
import type { Graph, GraphNode, Shape } from './graph.js';
import { isElementwise } from './ops/registry.js';
import { factorOf, fixedSize, isFree } from './shapes.js';

/** `none`: the same for all examples. `mixed`: of no example alone. */
type Place = number | 'none' | 'mixed';

export interface PlaceOfExamples {
  readonly place: Place;
  /** Of those that are merged with the examples into that axis, how many come before them: 5 if it goes through time first. */
  readonly outer: number;
}

interface Operand extends PlaceOfExamples {
  readonly shape: Shape;
}

/** With the number of those that come before the examples, where it is not that of the inputs. */
type Rule = (node: GraphNode, inputs: readonly Operand[]) => Place | PlaceOfExamples;

export function mixesExamples(graph: Graph): boolean {
  const known = placesOfExamples(graph);
  // The loss of the chunk is a sum over examples and nothing else is.
  return graph.outputs.some(({ name, value }) => name !== 'loss' && known.get(value)?.place === 'mixed');
}

/** Of each value the axis of the examples. */
export function placesOfExamples(graph: Graph): ReadonlyMap<string, Operand> {
  const known = new Map<string, Operand>();
  for (const { name, shape, role } of graph.inputs) {
    const ofExamples = role === 'data' || role === 'target';
    known.set(name, { place: ofExamples ? firstFree(shape) : 'none', outer: 1, shape });
  }
  for (const { name, shape } of graph.constants) known.set(name, { place: 'none', outer: 1, shape });
  for (const node of graph.nodes) {
    const inputs = node.inputs.flatMap((name) => known.get(name) ?? []);
    known.set(node.output, { ...placeOf(node, inputs), shape: node.shape });
  }
  return known;
}

const firstFree = (shape: Shape): Place => {
  const axis = shape.findIndex(isFree);
  return axis < 0 ? 'mixed' : axis;
};

const mixed = { place: 'mixed', outer: 1 } as const;

function placeOf(node: GraphNode, inputs: readonly Operand[]): PlaceOfExamples {
  // Both depend on the size of the chunk, or on an example's place in it.
  if (node.op === 'batchSize' || (node.op === 'counting' && node.shape.some(isFree))) return mixed;
  if (inputs.some(({ place }) => place === 'mixed')) return mixed;
  const [outer, ...others] = new Set(inputs.flatMap((input) => (input.place === 'none' ? [] : [input.outer])));
  if (outer === undefined) return { place: 'none', outer: 1 };
  const rule = isElementwise(node.op) ? aligned : rules.get(node.op);
  if (rule === undefined || others.length > 0) return mixed;
  const result = rule(node, inputs);
  return typeof result === 'object' ? result : { place: result, outer };
}

/** Aligned at the right, as shapes are that broadcast. */
function aligned({ shape }: GraphNode, inputs: readonly Operand[]): Place {
  const places = new Set(inputs.flatMap((input) => (typeof input.place === 'number' ? [input.place - input.shape.length] : [])));
  const [place] = places;
  return place === undefined || places.size > 1 ? 'mixed' : place + shape.length;
}

const axesOf = ({ attributes }: GraphNode): readonly number[] => {
  const axes = attributes['axes'] ?? attributes['axis'];
  return Array.isArray(axes) ? (axes as readonly number[]) : [Number(axes)];
};

/** The first input has examples, and no other one. */
const onlyFirst =
  (rule: (node: GraphNode, place: number, first: Operand) => ReturnType<Rule>): Rule =>
  (node, [first, ...others]) =>
    first !== undefined && typeof first.place === 'number' && others.every(({ place }) => place === 'none')
      ? rule(node, first.place, first)
      : 'mixed';

const kept = onlyFirst((_node, place) => place);
/** Along the axes of the node elements meet each other. */
const apart: Rule = (node, inputs) => {
  const place = aligned(node, inputs);
  return typeof place === 'number' && axesOf(node).includes(place) ? 'mixed' : place;
};
const reduced = onlyFirst((node, place, { shape }) => {
  const axes = axesOf(node);
  if (axes.includes(place)) return 'mixed';
  return node.shape.length === shape.length ? place : place - axes.filter((axis) => axis < place).length;
});
/** Images, sequences: examples are the first axis. */
const inFront = onlyFirst((_node, place) => (place === 0 ? 0 : 'mixed'));

/** As much lies in front of the examples as before, in the axes before theirs or in theirs. */
const reshaped = onlyFirst((node, place, { shape, outer }) => {
  const axis = node.shape.findIndex(isFree);
  const before = (fixedSize(shape.slice(0, place)) * outer) / fixedSize(node.shape.slice(0, Math.max(axis, 0)));
  return axis >= 0 && Number.isInteger(factorOf(node.shape[axis] ?? 1) / before) && Number.isInteger(before)
    ? { place: axis, outer: before }
    : 'mixed';
});

/** Rows of the first operand stay rows, columns of the second stay columns; what is summed over may not be examples. */
const multiplied: Rule = ({ shape, attributes }, [a, b]) => {
  const from = (operand: Operand | undefined, outer: number, swapped: boolean): Place => {
    if (operand === undefined || operand.place === 'none') return 'none';
    const fromRight = Number(operand.place) - operand.shape.length;
    if (fromRight < -2) return shape.length + fromRight;
    return fromRight === (swapped ? -3 - outer : outer) ? shape.length + outer : 'mixed';
  };
  const places = [from(a, -2, attributes['transA'] === true), from(b, -1, attributes['transB'] === true)];
  const [place, ...others] = new Set(places.filter((each) => each !== 'none'));
  return place === undefined || others.length > 0 ? 'mixed' : place;
};

/** The axes of the indices take the place of the axis that is picked from. */
const picked: Rule = (node, [x, indices]) => {
  const [axis = 0] = axesOf(node);
  if (x === undefined || indices === undefined) return 'mixed';
  if (x.place === 'none') return typeof indices.place === 'number' ? axis + indices.place : 'mixed';
  if (indices.place !== 'none' || x.place === axis) return 'mixed';
  return Number(x.place) < axis ? x.place : Number(x.place) - 1 + indices.shape.length;
};

const rules: ReadonlyMap<string, Rule> = new Map([
  ...['expand', 'standIn'].map((op) => [op, aligned] as const),
  ...['softmax', 'logSoftmax', 'cumsum', 'concat', 'gatherElements', 'scatterElementsAdd'].map((op) => [op, apart] as const),
  ...['reduceSum', 'reduceMax', 'reduceProd', 'reduceLogSumExp', 'argMax'].map((op) => [op, reduced] as const),
  ...['conv', 'convTranspose', 'averagePool', 'maxPool', 'convInputGradient'].map((op) => [op, inFront] as const),
  // A cut or an enlargement leaves the axis of examples whole.
  ...['slice', 'unslice', 'oneHot', 'pad'].map((op) => [op, kept] as const),
  ['reshape', reshaped],
  ['transpose', onlyFirst(({ attributes }, place) => (attributes['permutation'] as readonly number[]).indexOf(place))],
  ['matmul', multiplied],
  ['gather', picked],
]);
