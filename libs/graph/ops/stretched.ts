import { reshape } from '../emit.js';
import { at } from '../op.js';
import type { Emit, Value } from '../op.js';
import { madeBy } from './patterns.js';

/** What a value was stretched from, with as many axes as the value; undefined where it was not stretched. */
export function beforeStretching(e: Emit, value: Value): Value | undefined {
  const made = madeBy(value, 'expand');
  if (made === undefined) return undefined;
  const small = at(made.inputs, 0);
  return reshape(e, small, [...value.shape.slice(small.shape.length).map(() => 1), ...small.shape]);
}
