/** A graph computes the same before and after its simplification, also of numbers that are not finite. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.js';
import { dependenceOn } from './dependence.js';
import { forward, reverse } from './differentiate.js';
import { add, div, expand, matmul, mul, neg, reduceSum, reshape, sub, transpose } from './emit.js';
import { emitGradient } from './gradient.js';
import type { Graph } from './graph.js';
import { collected } from './linear-forms.js';
import { linearize, pairs, vectorInputs } from './linearize.js';
import type { Value } from './op.js';
import { inputsOf } from './queries.js';
import type { ReferenceTensor } from './reference-tensor.js';
import { runReference } from './run-reference.js';
import { specialize } from './specialize.js';
import { differences, randomInputs, randomTensor, uniform } from './testing/numbers.js';
import type { Sample } from './samples/sample.js';
import { samples } from './samples/samples.js';
import { smallNetworks } from './testing/small-networks.js';
import { resolveShape, showShape } from './shapes.js';

const BATCH = 3;
type Inputs = Record<string, ReferenceTensor>;

/** The sample's value, its gradient, and how that moves. */
function derived(sample: Sample, simplify: boolean): Graph {
  const builder = new GraphBuilder({ simplify });
  const input = (name: string, role: 'data' | 'vector') => (shape: Sample['inputs'][number], i: number) =>
    builder.input({ name: `${name}${i}`, role, dtype: 'float32', shape });
  const inputs = sample.inputs.map(input('x', 'data'));
  const moves = sample.inputs.map(input('v', 'vector'));
  // Says how many examples there are, where nothing else does.
  builder.input({ name: 'examples', role: 'data', dtype: 'float32', shape: ['batch'] });
  const y = sample.make(builder, inputs);
  const total = reduceSum(
    builder,
    mul(builder, y, y),
    y.shape.map((_, axis) => axis),
  );
  const gradients = reverse(builder, total, inputs);
  const named = (prefix: string, values: readonly (Value | undefined)[]) =>
    values.flatMap((value, i) => (value === undefined ? [] : [{ name: `${prefix}${i}`, value }]));
  const present = gradients.filter((value) => value !== undefined);
  const moved = forward(builder, present, pairs(inputs, moves));
  return builder.build([{ name: 'y', value: y }, ...named('g', gradients), ...named('h', moved)], ['data', 'vector']);
}

function numbersFor(graph: Graph, range: Sample['range']): Inputs {
  const next = uniform(11);
  return Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [
      name,
      randomTensor(resolveShape(shape, BATCH), next, name.startsWith('x') ? range : undefined),
    ]),
  );
}

/** Where they differ. A zero that nobody computes is missing in one of them. */
function apart(before: Graph, after: Graph, inputs: Inputs): string[] {
  const [was, is] = [runReference(before, inputs), runReference(after, inputs)];
  return after.outputs.flatMap(({ name }) => {
    const [a, b] = [was[name], is[name]];
    if (a === undefined || b === undefined) return [];
    if (String(a.shape) !== String(b.shape)) return [`${name}: ${showShape(b.shape)} in place of ${showShape(a.shape)}`];
    return differences(b.data, a.data, 1e-10).map((difference) => `${name}: ${difference}`);
  });
}

describe('simplification of ops', () => {
  it.each(samples)('$op - $case', (sample) => {
    const [before, after] = [derived(sample, false), derived(sample, true)];
    const inputs = numbersFor(before, sample.range);
    expect(apart(before, after, inputs)).toEqual([]);
  });

  it.each(samples)('$op - $case, where one number is not a number', (sample) => {
    const [before, after] = [derived(sample, false), derived(sample, true)];
    for (const spoilt of sample.inputs.keys()) {
      const inputs = numbersFor(before, sample.range);
      inputs[`x${spoilt}`]?.data.fill(Number.NaN, 0, 1);
      const [was, is] = [runReference(before, inputs)['y'], runReference(after, inputs)['y']];
      expect(Array.from(is?.data ?? [], Number.isNaN)).toEqual(Array.from(was?.data ?? [], Number.isNaN));
    }
  });
});

/** Expressions that no network has, so that each rule meets what it is for: the same seed gives the same expression. */
function expression(seed: number, simplify: boolean): Graph {
  const builder = new GraphBuilder({ simplify });
  const next = uniform(seed);
  const choice = <T>(items: readonly T[]): T => items[Math.floor(((next() + 1) / 2) * items.length)]!;
  const input = (name: string, shape: readonly number[]): Value => builder.input({ name, role: 'data', dtype: 'float32', shape });
  const square = [3, 3];
  const values = [input('x', square), input('y', square), input('row', [3]), input('column', [3, 1]), input('one', [1, 1])];
  const number = (): Value => builder.scalar(choice([0, 1, -1, 2, -3, 0.5]));
  const operand = (): Value => (next() > 0.4 ? number() : choice(values));
  const whole = (value: Value): Value => expand(builder, value, square);
  const makers: readonly (() => Value)[] = [
    () => add(builder, operand(), choice(values)),
    () => sub(builder, operand(), choice(values)),
    () => sub(builder, choice(values), operand()),
    () => mul(builder, operand(), choice(values)),
    () => div(builder, choice(values), add(builder, mul(builder, values[0]!, values[0]!), builder.scalar(1))),
    () => div(builder, choice(values), builder.scalar(choice([1, -1, 4]))),
    () => neg(builder, choice(values)),
    () => whole(choice(values)),
    () =>
      transpose(
        builder,
        whole(choice(values)),
        choice([
          [1, 0],
          [0, 1],
        ]),
      ),
    () => reshape(builder, reshape(builder, whole(choice(values)), [9]), square),
    () => reduceSum(builder, whole(choice(values)), choice([[0], [1], [0, 1]]), true),
    () => matmul(builder, whole(choice(values)), whole(choice(values)), { transA: next() > 0, transB: next() > 0 }),
  ];
  for (let i = 0; i < 14; i++) values.push(choice(makers)());
  return builder.build(
    values.slice(-4).map((value, i) => ({ name: `y${i}`, value })),
    ['data'],
  );
}

describe('simplification of expressions', () => {
  const seeds = Array.from({ length: 400 }, (_, seed) => seed + 1);
  const inputsFor = (graph: Graph, spoil: number | undefined): Inputs => {
    const inputs = numbersFor(graph, undefined);
    if (spoil !== undefined) inputs['x']?.data.fill(spoil, 4, 5);
    return inputs;
  };

  it.each([undefined, Number.NaN, Number.POSITIVE_INFINITY])('%s among the numbers', (spoil) => {
    const wrong = seeds.flatMap((seed) => {
      const [before, after] = [expression(seed, false), expression(seed, true)];
      return apart(before, after, inputsFor(before, spoil)).map((difference) => `seed ${seed}, ${difference}`);
    });
    expect(wrong).toEqual([]);
  });

  it('most expressions become smaller', () => {
    const nodes = (simplify: boolean): number => seeds.reduce((sum, seed) => sum + expression(seed, simplify).nodes.length, 0);
    expect(nodes(true)).toBeLessThan(nodes(false) * 0.8);
  });
});

/** The product with the Hessian, as the derivative rules write it. */
function plainProducts(
  training: Graph,
  simplify: boolean,
): { graph: Graph; builder: GraphBuilder; isMoving: (v: Value) => boolean; moved: Value[] } {
  const builder = new GraphBuilder({ simplify });
  const { parameters, gradients } = emitGradient(builder, training);
  const vectors = vectorInputs(builder, parameters);
  const moved = forward(builder, gradients, pairs(parameters, vectors)).filter((value) => value !== undefined);
  const graph = builder.build(
    moved.map((value, i) => ({ name: `product${i}`, value })),
    ['parameter', 'data', 'target', 'vector'],
  );
  return { graph, builder, isMoving: dependenceOn(vectors), moved };
}

describe.each(smallNetworks)('simplification of a network - $name', ({ training }) => {
  const before = plainProducts(training, false);
  const inputs = randomInputs(before.graph, BATCH);
  for (const { name, dtype } of before.graph.inputs) {
    if (dtype === 'int64') inputs[name]?.data.forEach((_, i, data) => (data[i] = i % 3));
  }

  it('its products are the same, simplified as they are written', () => {
    const after = plainProducts(training, true);
    expect(apart(before.graph, after.graph, inputs)).toEqual([]);
    expect(after.graph.nodes.length).toBeLessThan(before.graph.nodes.length);
  });

  it('its products are the same, collected into sums of fixed and moving', () => {
    const { builder, isMoving, moved, graph } = plainProducts(training, true);
    const sums = collected(builder, moved, isMoving);
    const after = builder.build(
      sums.map((value, i) => ({ name: `product${i}`, value })),
      ['parameter', 'data', 'target', 'vector'],
    );
    expect(apart(before.graph, after, inputs)).toEqual([]);
    expect(after.nodes.length).toBeLessThanOrEqual(graph.nodes.length * 1.2);
  });

  it('the same is computed for a known number of examples and known data', () => {
    const known = new Map(inputsOf(training, 'data').map(({ name }) => [name, Float64Array.from(inputs[name]?.data ?? [])]));
    const after = specialize(before.graph, { examples: BATCH, inputs: known });
    expect(after.nodes.flatMap(({ shape }) => shape.filter((dim) => typeof dim === 'string'))).toEqual([]);
    expect(apart(before.graph, after, inputs)).toEqual([]);
  });

  it('simplification comes out the same each time', () => {
    expect(JSON.stringify(linearize(training))).toBe(JSON.stringify(linearize(training)));
  });
});
