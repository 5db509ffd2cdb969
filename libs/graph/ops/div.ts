import { div, mul, neg, sub } from '../emit.js';
import { at } from '../op.js';
import type { OpDefinition } from '../op.js';
import { binary } from './binary.js';
import { constantNumber, keepsShape } from './patterns.js';

const base = binary({
  name: 'div',
  onnx: 'Div',
  tfjs: (tf, a, b) => tf.div(a, b),
  f: (a, b) => a / b,
  backward: [
    (e, { inputs }, cotangent) => div(e, cotangent, at(inputs, 1)),
    (e, { inputs, output }, cotangent) => neg(e, div(e, mul(e, cotangent, output), at(inputs, 1))),
  ],
  // (a / b)′ = (a′ − y b′) / b
  forward: (e, { inputs, output }, [a, b]) => {
    const moved = b && mul(e, output, b);
    const numerator = a !== undefined && moved !== undefined ? sub(e, a, moved) : (a ?? (moved && neg(e, moved)));
    return numerator && div(e, numerator, at(inputs, 1));
  },
  simplify: (e, a, b) => {
    const divisor = constantNumber(b);
    return divisor !== undefined && divisor !== 0 && keepsShape(a, b) ? mul(e, a, e.scalar(1 / divisor)) : undefined;
  },
});

/** Of numbers; `quotient` divides whole numbers. */
export const divOp: OpDefinition = {
  ...base,
  onnx: { ...base.onnx, read: { Div: (e, node) => div(e, node.input(0), node.input(1)) } },
};
