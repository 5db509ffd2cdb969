import { mul, neg, sub } from '../emit.js';
import { at } from '../op.js';
import type { OpDefinition } from '../op.js';
import { dtypeOfFirst, numberLike } from './dtypes.js';
import { madeBy, multipleOf, operandOf, withoutExpand } from './patterns.js';

export const negOp: OpDefinition = {
  name: 'neg',
  elementwise: true,
  shape: (inputs) => at(inputs, 0).shape,
  dtype: dtypeOfFirst,
  simplify: (e, inputs) => {
    const x = at(inputs, 0);
    const twice = operandOf(x, 'neg');
    if (twice !== undefined) return twice;
    const difference = madeBy(x, 'sub');
    if (difference !== undefined) return sub(e, at(difference.inputs, 1), at(difference.inputs, 0));
    const multiple = multipleOf(x);
    return multiple ? mul(e, multiple.rest, numberLike(e, x, -multiple.factor)) : withoutExpand(e, 'neg', inputs);
  },
  derivative: {
    vjp: (e, _use, cotangent) => [neg(e, cotangent)],
    jvp: (e, _use, [tangent]) => tangent && neg(e, tangent),
  },
  reference: (inputs) => at(inputs, 0).data.map((x) => -x),
  tfjs: (tf, inputs) => tf.neg(at(inputs, 0)),
  onnx: {
    write: (writer, node) => void writer.node('Neg', node.inputs, {}, node.output),
    read: { Neg: (e, node) => neg(e, node.input(0)) },
  },
};
