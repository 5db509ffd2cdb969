import { describe, expect, it } from 'vitest';
import { attachLoss } from './attach-loss.js';
import { GraphBuilder } from './builder.js';
import { add, matmul, mul, reduceSum, reshape, sub, transpose } from './emit.js';
import { where } from './emit/elementwise.js';
import type { LinearizedGraph } from './graph.js';
import { linearize } from './linearize.js';
import { mlp } from './networks.js';
import type { Value } from './op.js';
import { oriented } from './orient.js';
import { referenceTensor } from './reference-tensor.js';
import { runReference } from './run-reference.js';
import type { ReferenceValues } from './run-reference.js';
import { differences, uniform } from './testing/numbers.js';

const BATCH = 6;

/** A linearization whose tangent graph is whatever `write` makes of its inputs. */
class Sketch {
  readonly e = new GraphBuilder();
  readonly #primal = new GraphBuilder();
  readonly #kept: { readonly name: string; readonly value: Value }[] = [];

  vector(name: string, shape: readonly number[]): Value {
    return this.e.input({ name, role: 'vector', dtype: 'float32', shape });
  }

  data(shape: readonly ('batch' | number)[]): Value {
    return this.e.input({ name: 'x', role: 'data', dtype: 'float32', shape });
  }

  kept(shape: readonly ('batch' | number)[], dtype: 'float32' | 'bool' = 'float32'): Value {
    const name = `kept/${this.#kept.length}`;
    this.#kept.push({ name, value: this.#primal.input({ name: `of ${name}`, role: 'data', dtype, shape }) });
    return this.e.input({ name, role: 'kept', dtype, shape });
  }

  linearized(...products: readonly Value[]): LinearizedGraph {
    const outputs = products.map((value, i) => ({ name: `product/${i}`, value }));
    const graph = this.e.build(outputs, []);
    const vectors = graph.inputs.filter(({ role }) => role === 'vector').map(({ name }) => name);
    const primal = this.#primal.build(this.#kept, []);
    return {
      primal: { graph: primal, loss: '', losses: '', gradients: [], kept: this.#kept.map(({ name }) => name) },
      tangent: { graph, vectors: [vectors], products: [outputs.map(({ name }) => name)] },
    };
  }
}

/** What comes out at the end of both graphs. */
function results({ primal, tangent }: LinearizedGraph, seed: number): number[] {
  const numbers = (inputs: LinearizedGraph['primal']['graph']['inputs'], next: () => number): ReferenceValues =>
    Object.fromEntries(
      inputs.map(({ name, shape, dtype }) => {
        const fixed = shape.map((dim) => (dim === 'batch' ? BATCH : Number(dim)));
        const data = Array.from({ length: fixed.reduce((a, b) => a * b, 1) }, () =>
          dtype === 'bool' ? Number(next() > 0) : next(),
        );
        return [name, referenceTensor(fixed, data)];
      }),
    );
  // By name, since the order of inputs may differ.
  const byName = (inputs: LinearizedGraph['primal']['graph']['inputs']) => inputs.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const kept = runReference(primal.graph, numbers(byName(primal.graph.inputs), uniform(seed)));
  const given = byName(tangent.graph.inputs.filter(({ role }) => role !== 'kept'));
  const values = runReference(tangent.graph, { ...numbers(given, uniform(seed + 1)), ...kept });
  return tangent.products[0]!.flatMap((name) => [...values[name]!.data]);
}

const turnedOf = ({ primal }: LinearizedGraph): string[] => primal.kept.filter((name) => name.endsWith('/turned'));

/** What is different when matrices lie the other way round: nothing. */
function changes(before: LinearizedGraph): string[] {
  const after = oriented(before);
  const shapes = ({ tangent }: LinearizedGraph): string[] =>
    tangent.graph.outputs.map(({ name, shape }) => `${name} [${shape.join()}]`);
  const others = shapes(after).filter((shape, i) => shape !== shapes(before)[i]);
  return [...others, ...differences(results(after, 5), results(before, 5), 1e-12)];
}

describe('a layer, its examples last', () => {
  function layer(rest: (sketch: Sketch, moved: Value) => readonly Value[]): LinearizedGraph {
    const sketch = new Sketch();
    const { e } = sketch;
    const moved = matmul(e, sketch.data(['batch', 40]), sketch.vector('w', [5, 40]), { transB: true });
    const scaled = mul(e, sketch.kept(['batch', 5]), add(e, moved, sketch.vector('b', [5])));
    return sketch.linearized(...rest(sketch, scaled));
  }
  const weights = ({ e }: Sketch, moved: Value, x: Value): Value => matmul(e, moved, x, { transA: true });

  it('data comes to stand at the right, the bias along the first axis, what is kept is transposed once', () => {
    const before = layer((sketch, moved) => [
      weights(sketch, moved, sketch.kept(['batch', 40])),
      reduceSum(sketch.e, moved, [0]),
    ]);
    expect(changes(before)).toEqual([]);
    const after = oriented(before);
    const { nodes } = after.tangent.graph;
    expect(nodes.filter(({ op }) => op === 'matmul').map(({ inputs }) => inputs[1])).toEqual(['x', 'kept/1']);
    expect(nodes.filter(({ op }) => op === 'transpose')).toEqual([]);
    expect(turnedOf(after)).toEqual(['kept/0/turned']);
  });

  it('sums with and without their axis, along either', () => {
    const before = layer(({ e }, moved) => [
      reduceSum(e, moved, [0]),
      reduceSum(e, moved, [1]),
      reduceSum(e, moved, [0, 1]),
      sub(e, moved, reduceSum(e, moved, [1], true)),
      mul(e, moved, reduceSum(e, moved, [0], true)),
    ]);
    expect(changes(before)).toEqual([]);
  });

  it('a choice by kept truth values, numbers, transpositions, other shapes', () => {
    const before = layer((sketch, moved) => {
      const { e } = sketch;
      const chosen = where(e, sketch.kept(['batch', 5], 'bool'), moved, mul(e, moved, e.scalar(3)));
      const column = mul(e, chosen, sketch.kept(['batch', 1]));
      return [
        transpose(e, add(e, column, e.constant([1, 5], Float64Array.of(1, 2, 3, 4, 5))), [1, 0]),
        reshape(e, column, ['batch*5']),
        reduceSum(e, matmul(e, transpose(e, chosen, [1, 0]), column), [0]),
      ];
    });
    expect(changes(before)).toEqual([]);
  });

  it('a matrix of the vector that is added to one of examples', () => {
    const sketch = new Sketch();
    const { e } = sketch;
    const v = sketch.vector('v', [4, 4]);
    const inner = matmul(e, sketch.kept(['batch', 4]), sketch.kept(['batch', 4]), { transA: true });
    const before = sketch.linearized(add(e, matmul(e, inner, v), v), matmul(e, v, v, { transA: true, transB: true }));
    expect(changes(before)).toEqual([]);
  });
});

/** A tangent graph of matrices of a few sizes, at random. */
function atRandom(seed: number): LinearizedGraph {
  const next = uniform(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.min(items.length - 1, Math.floor(((next() + 1) / 2) * items.length))]!;
  const sketch = new Sketch();
  const { e } = sketch;
  const made: Value[] = [matmul(e, sketch.data(['batch', 3]), sketch.vector('v', [3, 4])), sketch.vector('w', [4, 4])];
  const fitting = (wanted: (value: Value) => boolean, or: () => Value): Value => pick([...made.filter(wanted), or()]);
  for (let i = 0; i < 14; i++) {
    const a = pick(made);
    const [rows, columns] = a.shape as readonly ('batch' | number)[];
    const like = (): Value =>
      fitting(
        ({ shape }) => shape.join() === a.shape.join(),
        () => sketch.kept([rows!, columns!]),
      );
    const along = (dim: 'batch' | number): Value =>
      fitting(
        ({ shape }) => shape[0] === dim,
        () => sketch.kept([dim, 4]),
      );
    made.push(
      pick([
        () => add(e, a, like()),
        () => mul(e, like(), a),
        () => mul(e, a, reduceSum(e, like(), [pick([0, 1])], true)),
        () => matmul(e, a, along(rows!), { transA: true }),
        () => matmul(e, along(columns!), a, { transA: true, transB: true }),
        () => matmul(e, a, along(columns!)),
        () => transpose(e, a, [1, 0]),
      ])(),
    );
  }
  return sketch.linearized(...made.slice(-4));
}

it('graphs at random: the same numbers, and most have something to gain', () => {
  const graphs = Array.from({ length: 200 }, (_, seed) => atRandom(seed + 1));
  expect(graphs.flatMap(changes)).toEqual([]);
  // Where nothing is gained, it is the same object.
  expect(graphs.filter((graph) => oriented(graph) !== graph).length).toBeGreaterThan(100);
});

it('a network of matrix products: no product reads a transposed matrix of examples at its left, and none is transposed', () => {
  const training = attachLoss(mlp({ sizes: [30, 20, 20, 10], activation: 'tanh' }), {
    kind: 'cross-entropy',
    reduction: 'sum-outputs',
    halved: false,
  });
  const { nodes } = linearize(training).tangent.graph;
  const shapes = new Map(nodes.map(({ output, shape }) => [output, shape]));
  const products = nodes.filter(({ op }) => op === 'matmul');
  expect(products.length).toBeGreaterThan(10);
  expect(
    products.filter(({ inputs, attributes }) => attributes['transA'] === true && shapes.get(inputs[0]!)?.includes('batch')),
  ).toEqual([]);
  expect(products.map(({ inputs }) => inputs[0]).filter((left) => left === 'x')).toEqual([]);
});
