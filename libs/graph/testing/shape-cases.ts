/** Cases of operators that move, cut and join. */
import { int64s } from './small-model.js';
import type { AttributeValue, SmallInput, SmallModel, SmallTensor } from './small-model.js';

type Size = number | 'batch';

/** The end of an axis, however long it is. */
export const END = 2 ** 53 - 1;

export interface Case {
  readonly name: string;
  readonly model: SmallModel;
}

/** One operator on a tensor of floats `x` and constants. */
export function one(
  op: string,
  name: string,
  shape: readonly Size[],
  constants: readonly (SmallTensor | undefined)[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
  more: Partial<SmallModel> = {},
): Case {
  const given = Object.fromEntries(constants.flatMap((tensor, i) => (tensor ? [[`c${i}`, tensor]] : [])));
  const inputs = ['x', ...constants.map((tensor, i) => (tensor ? `c${i}` : ''))];
  return {
    name: `${op} - ${name}`,
    model: { inputs: { x: { shape } }, constants: given, nodes: [{ op, inputs, attributes }], ...more },
  };
}

export const slice = (
  name: string,
  shape: readonly Size[],
  starts: number[],
  ends: number[],
  axes?: number[],
  steps?: number[],
): Case =>
  one('Slice', name, shape, [int64s(starts), int64s(ends), ...(axes ? [int64s(axes)] : []), ...(steps ? [int64s(steps)] : [])]);

/** Whole numbers below a bound. */
export const ids = (shape: readonly Size[], below: number): SmallInput => ({ shape, below });
