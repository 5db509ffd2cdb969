import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../builder.js';
import { reverse } from '../differentiate.js';
import { add, expand, mul, reduceSum, reshape, transpose } from '../emit.js';
import { concat, countingTo, cumsum, gather, scatterElementsAdd, slice, sliceAlong, unslice, wholeOf } from '../emit/shape.js';
import type { Shape } from '../graph.js';
import type { Emit, Value } from '../op.js';
import { runReference } from '../run-reference.js';
import { resolveShape } from '../shapes.js';
import { differences, randomTensor, uniform } from '../testing/numbers.js';

type Make = (e: Emit, x: Value, y: Value) => Value;

/** The ops that are left; the numbers are those of the graph as it was written. */
function opsLeft(make: Make, shape: Shape = ['batch', 6]): string[] {
  const [clean, plain] = [true, false].map((simplify) => {
    const builder = new GraphBuilder({ simplify });
    const [x, y] = ['x', 'y'].map((name) => builder.input({ name, role: 'data', dtype: 'float32', shape }));
    return builder.build([{ name: 'z', value: make(builder, x!, y!) }]);
  });
  const next = uniform(5);
  const inputs = { x: randomTensor(resolveShape(shape, 3), next), y: randomTensor(resolveShape(shape, 3), next) };
  const [here, there] = [runReference(clean!, inputs)['z'], runReference(plain!, inputs)['z']];
  expect(here?.shape).toEqual(there?.shape);
  expect(differences(here?.data, there?.data, 1e-15)).toEqual([]);
  return clean!.nodes.map(({ op }) => op);
}

const wholes = (e: Emit, values: readonly number[]): Value => e.constant([values.length], Float64Array.from(values), 'int64');

/** The gradient of Σ f(x)³, by x. */
const gradientOf =
  (f: (e: Emit, x: Value) => readonly Value[]): Make =>
  (e, x) => {
    const sums = f(e, x).map((part, i) => {
      const scaled = mul(e, mul(e, part, part), mul(e, part, e.scalar(i + 1)));
      return reduceSum(e, scaled, [0, 1]);
    });
    const [gradient] = reverse(
      e,
      sums.reduce((a, b) => add(e, a, b)),
      [x],
    );
    return gradient ?? x;
  };

describe('cuts and joins', () => {
  it.each<[string, Make, string[]]>([
    ['a cut of all', (e, x) => slice(e, x, wholeOf(x.shape)), []],
    ['a cut of a cut', (e, x) => sliceAlong(e, sliceAlong(e, x, 1, 1, 5), 1, 4, 2, -2), ['slice']],
    ['turned around twice', (e, x) => sliceAlong(e, sliceAlong(e, x, 1, 5, 6, -1), 1, 5, 6, -1), []],
    ['a cut of one part', (e, x, y) => sliceAlong(e, concat(e, [x, y], 1), 1, 6, 6), []],
    ['a cut in one part', (e, x, y) => sliceAlong(e, concat(e, [x, y], 1), 1, 8, 3), ['slice']],
    ['a cut of two parts', (e, x, y) => sliceAlong(e, concat(e, [x, y], 1), 1, 4, 4), ['concat', 'slice']],
    ['split and joined', (e, x) => concat(e, [sliceAlong(e, x, 1, 0, 2), sliceAlong(e, x, 1, 2, 4)], 1), []],
    [
      'split and joined the other way',
      (e, x) => concat(e, [sliceAlong(e, x, 1, 2, 4), sliceAlong(e, x, 1, 0, 2)], 1),
      ['slice', 'slice', 'concat'],
    ],
    ['joined twice', (e, x, y) => concat(e, [concat(e, [x, y], 1), x], 1), ['concat']],
    [
      'a cut of what was placed there',
      (e, x) => sliceAlong(e, unslice(e, x, ['batch', 9], { starts: [0, 2], steps: [1, 1] }), 1, 2, 6),
      [],
    ],
    ['evenly spaced indices', (e, x) => gather(e, x, wholes(e, [5, 3, 1]), 1), ['slice']],
    ['other indices', (e, x) => gather(e, x, wholes(e, [5, 3, 2]), 1), ['gather']],
    ['all indices', (e, x) => gather(e, x, wholes(e, [0, 1, 2, 3, 4, -1]), 1), []],
  ])('%s', (_name, make, ops) => {
    expect(opsLeft(make)).toEqual(ops);
  });

  it.each<[string, Make, string[]]>([
    [
      'picked',
      (e, x) => add(e, x, gather(e, expand(e, sliceAlong(e, x, 0, 0, 3), [3, 6]), wholes(e, [4, 1, 1, 0, 2, 2]), 1)),
      ['gather', 'add'],
    ],
    [
      'positions that are the same for all',
      (e, x) => {
        const places = expand(e, reshape(e, wholes(e, [5, 4, 3, 2, 1, 0]), [1, 6]), [3, 6]);
        return gather(e, reshape(e, sliceAlong(e, x, 0, 0, 1), [6]), places, 0);
      },
      ['slice', 'reshape', 'slice', 'reshape', 'expand'],
    ],
    ['summed up', (e, x) => cumsum(e, expand(e, sliceAlong(e, x, 0, 1, 1), [3, 6]), 1), ['slice', 'cumsum', 'expand']],
    [
      'joined',
      (e, x) => {
        const row = (start: number, size: number): Value =>
          expand(e, slice(e, x, { starts: [0, start], sizes: [1, size], steps: [1, 1] }), [3, size]);
        return concat(e, [row(0, 2), row(3, 2)], 1);
      },
      ['slice', 'slice', 'concat', 'expand'],
    ],
    [
      'given another axis',
      (e, x) => add(e, reshape(e, expand(e, sliceAlong(e, x, 0, 1, 1), [3, 6]), [3, 1, 6]), reshape(e, x, [3, 1, 6])),
      ['slice', 'reshape', 'reshape', 'add'],
    ],
  ])('what was stretched is stretched later - %s', (_name, make, ops) => {
    expect(
      opsLeft(make, [3, 6])
        .filter((op) => op !== 'expand' || ops.includes(op))
        .sort(),
    ).toEqual([...ops].sort());
  });

  it('a mask of all pairs of 300 tokens is known, and a table of floats of that size is not', () => {
    const builder = new GraphBuilder();
    const [row, column] = [
      [1, 300],
      [300, 1],
    ].map((shape) => reshape(builder, countingTo(builder, 300), shape));
    expect(builder.apply('less', [row!, column!]).source.kind).toBe('constant');
    const floats = [row!, column!].map((value) => builder.apply('cast', [value], { to: 'float32' }));
    expect(mul(builder, floats[0]!, floats[1]!).source.kind).toBe('op');
  });

  it('the gradient of a split is one concatenation', () => {
    const split = gradientOf((e, x) => [0, 1, 2].map((i) => sliceAlong(e, x, 1, 2 * i, 2)));
    const ops = opsLeft(split);
    expect(ops).not.toContain('unslice');
    expect(ops.filter((op) => op === 'concat')).toHaveLength(1);
  });

  it('whatever the order of the parts, with gaps, and beside other terms', () => {
    for (const starts of [
      [0, 4, 2],
      [4, 0],
      [2, 0, 4],
      [5, 1],
    ]) {
      const ops = opsLeft(gradientOf((e, x) => [...starts.map((start) => sliceAlong(e, x, 1, start, 1)), x]));
      expect(ops.filter((op) => op === 'unslice').length).toBeLessThan(2);
    }
    const overlapping = opsLeft(gradientOf((e, x) => [sliceAlong(e, x, 1, 0, 3), sliceAlong(e, x, 1, 2, 3)]));
    expect(overlapping.filter((op) => op === 'unslice')).toHaveLength(2);
  });

  it('heads of queries, keys and values come back as one tensor', () => {
    const heads = (e: Emit, x: Value): Value[] =>
      [0, 1, 2].map((i) => {
        const part = transpose(e, reshape(e, sliceAlong(e, x, 1, 4 * i, 4), ['batch', 2, 2]), [1, 0, 2]);
        return reshape(e, reduceSum(e, part, [0]), ['batch', 2]);
      });
    expect(opsLeft(gradientOf(heads), ['batch', 12]).filter((op) => op === 'concat')).toHaveLength(1);
  });
});

describe('sums of what was put somewhere', () => {
  const places = (e: Emit): Value => e.constant([1, 6], Float64Array.of(4, 0, 4, 7, 1, 1), 'int64');
  const put: Make = (e, x) => scatterElementsAdd(e, x, expand(e, places(e), x.shape), 1, ['batch', 9]);
  it.each<[string, Make, string[]]>([
    ['over the axis of the places', (e, x, y) => reduceSum(e, put(e, x, y), [1], true), ['reduceSum']],
    ['over all axes', (e, x, y) => reduceSum(e, put(e, x, y), [0, 1]), ['reduceSum']],
    ['over another axis', (e, x, y) => reduceSum(e, put(e, x, y), [0]), ['expand', 'scatterElementsAdd', 'reduceSum']],
  ])('%s', (_, make, expected) => {
    expect(opsLeft(make)).toEqual(expected);
  });
});
