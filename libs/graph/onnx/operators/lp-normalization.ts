import { div, mul, reduceSum, sqrt } from '../../emit.js';
import { abs } from '../../emit/elementwise.js';
import type { OnnxReader } from '../../op.js';
import { normalizeAxis } from '../../shapes.js';

/** x / ‖x‖ along an axis, by the sum of squares or of absolute values. */
export const lpNormalization: OnnxReader = (e, node) => {
  const x = node.input(0);
  const axis = normalizeAxis(node.int('axis', -1), x.shape.length);
  if (node.int('p', 2) === 1) return div(e, x, reduceSum(e, abs(e, x), [axis], true));
  return div(e, x, sqrt(e, reduceSum(e, mul(e, x, x), [axis], true)));
};
