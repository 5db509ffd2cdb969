import { addIfAny, div, mul, neg } from '../emit.js';
import { floorMod, fmod, trunc } from '../emit/elementwise.js';
import type { Emit, Value } from '../op.js';
import { at } from '../op.js';
import type { OpDefinition } from '../op.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { binary } from './binary.js';

/** y = a − trunc(a / b) b */
const slopeByB = (e: Emit, a: Value, b: Value): Value => neg(e, trunc(e, div(e, a, b)));

/** tfjs's own remainder has the sign of the divisor. */
function tfjsRemainder(tf: TfjsOps, a: TfjsTensor, b: TfjsTensor): TfjsTensor {
  const size = tf.mod(tf.abs(a), tf.abs(b));
  return tf.mul(tf.sign(a), size);
}

const base = binary({
  name: 'fmod',
  onnx: 'Mod',
  tfjs: tfjsRemainder,
  f: (a, b) => a % b,
  backward: [
    (_e, _use, cotangent) => cotangent,
    (e, { inputs }, cotangent) => mul(e, cotangent, slopeByB(e, at(inputs, 0), at(inputs, 1))),
  ],
  forward: (e, { inputs }, [a, b]) => addIfAny(e, a, b && mul(e, b, slopeByB(e, at(inputs, 0), at(inputs, 1)))),
});

/** What remains of a division that is rounded towards 0; it has the sign of the dividend. */
export const fmodOp: OpDefinition = {
  ...base,
  onnx: {
    write: (writer, node) => void writer.node('Mod', node.inputs, { fmod: { int: 1 } }, node.output),
    read: {
      Mod: (e, node) => (node.int('fmod', 0) === 1 ? fmod : floorMod)(e, node.input(0), node.input(1)),
    },
  },
};
