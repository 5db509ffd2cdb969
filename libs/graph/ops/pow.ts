import { div, mul, pow, sqrt } from '../emit.js';
import { cast, power } from '../emit/elementwise.js';
import { at, numberAttribute } from '../op.js';
import type { Emit, OnnxNode, OpDefinition, Value } from '../op.js';
import { constantNumber, keepsShape } from './patterns.js';

function read(e: Emit, node: OnnxNode): Value {
  const [x, exponent] = [node.input(0), node.input(1)];
  if (x.dtype !== 'float32') throw node.unsupported('powers of whole numbers', 'a cast to floats before');
  const known = constantNumber(exponent);
  return known !== undefined && keepsShape(x, exponent) ? pow(e, x, known) : power(e, x, cast(e, exponent, 'float32'));
}

/** A power with an exponent that is known when the graph is built. */
export const powOp: OpDefinition = {
  name: 'pow',
  elementwise: true,
  shape: (inputs) => at(inputs, 0).shape,
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    switch (numberAttribute(attributes, 'exponent')) {
      case 0:
        return e.apply('expand', [e.scalar(1)], { shape: x.shape });
      case 1:
        return x;
      case 2:
        return mul(e, x, x);
      case 0.5:
        return sqrt(e, x);
      case -1:
        return div(e, e.scalar(1), x);
      default:
        return undefined;
    }
  },
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => {
      const exponent = numberAttribute(attributes, 'exponent');
      return [mul(e, cotangent, mul(e, pow(e, at(inputs, 0), exponent - 1), e.scalar(exponent)))];
    },
    jvp: (e, { inputs, attributes }, [tangent]) => {
      const exponent = numberAttribute(attributes, 'exponent');
      return tangent && mul(e, tangent, mul(e, pow(e, at(inputs, 0), exponent - 1), e.scalar(exponent)));
    },
  },
  reference: (inputs, attributes) => {
    const exponent = numberAttribute(attributes, 'exponent');
    return at(inputs, 0).data.map((x) => x ** exponent);
  },
  tfjs: (tf, inputs, attributes) => tf.pow(at(inputs, 0), tf.scalar(numberAttribute(attributes, 'exponent'))),
  onnx: {
    write: (writer, node) => {
      const exponent = writer.float([], [numberAttribute(node.attributes, 'exponent')]);
      writer.node('Pow', [at(node.inputs, 0), exponent], {}, node.output);
    },
    read: { Pow: read },
  },
};
