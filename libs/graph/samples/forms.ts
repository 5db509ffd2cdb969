/** The forms in which ops are used by most samples. */
import type { Shape } from '../graph.js';
import { at } from '../op.js';
import type { Emit, Value } from '../op.js';
import type { Sample } from './sample.js';

export type Range = readonly [number, number];

export const positive: Range = [0.3, 2];

const ranged = (range: Range | undefined): Partial<Sample> => (range === undefined ? {} : { range });

/** Of one tensor of this shape. */
export const shaped = (op: string, name: string, shape: Shape, make: (e: Emit, x: Value) => Value, range?: Range): Sample => ({
  op,
  case: name,
  inputs: [shape],
  make: (e, inputs) => make(e, at(inputs, 0)),
  ...ranged(range),
});

/** Of one row for each example. */
export const unary = (op: string, name: string, make: (e: Emit, x: Value) => Value, range?: Range): Sample =>
  shaped(op, name, ['batch', 3], make, range);

/** Of two tensors of these shapes. */
export const paired = (
  op: string,
  name: string,
  inputs: readonly [Shape, Shape],
  make: (e: Emit, a: Value, b: Value) => Value,
  range?: Range,
): Sample => ({
  op,
  case: name,
  inputs,
  make: (e, values) => make(e, at(values, 0), at(values, 1)),
  ...ranged(range),
});

const broadcasts: readonly (readonly [string, readonly [Shape, Shape]])[] = [
  [
    'same shapes',
    [
      ['batch', 3],
      ['batch', 3],
    ],
  ],
  ['a row', [['batch', 3], [3]]],
  ['a number', [[], ['batch', 3]]],
  [
    'both stretched',
    [
      ['batch', 1],
      [1, 3],
    ],
  ],
];

/** Of two tensors, stretched to each other in every way. */
export const broadcast = (op: string, make: (e: Emit, a: Value, b: Value) => Value, range?: Range): Sample[] =>
  broadcasts.map(([name, inputs]) => paired(op, name, inputs, make, range));
