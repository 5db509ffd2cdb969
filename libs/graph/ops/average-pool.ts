import { reduceMean } from '../emit.js';
import { averagePool, averagePoolGradient } from '../emit/convolution.js';
import { at } from '../op.js';
import type { OpDefinition } from '../op.js';
import { elements } from '../reference-tensor.js';
import { sameShape } from '../shapes.js';
import { seenInTfjs } from './convolution-tfjs.js';
import { onnxConvAttributes } from './conv.js';
import { alongTaps, onnxPoolAttributes, pooledShape, poolingWork } from './pooling.js';
import { spatialOf, tapsOf, windowsOf } from './windows.js';

/** The sum of each window over the number of its places; padding counts as zeros. */
export const averagePoolOp: OpDefinition = {
  name: 'averagePool',
  shape: (inputs, attributes) => pooledShape(at(inputs, 0).shape, windowsOf(attributes)),
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const { kernel, pads } = windowsOf(attributes);
    const space = spatialOf(x.shape);
    if (!sameShape(kernel, space) || pads.some((pad) => pad > 0)) return undefined;
    return reduceMean(
      e,
      x,
      space.map((_, axis) => axis + 2),
      true,
    );
  },
  work: (_inputs, attributes, shape) => poolingWork(shape, windowsOf(attributes)),
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => [
      averagePoolGradient(e, cotangent, spatialOf(at(inputs, 0).shape), windowsOf(attributes)),
    ],
    jvp: (e, { attributes }, [tangent]) => tangent && averagePool(e, tangent, windowsOf(attributes)),
  },
  reference: (inputs, attributes, shape) => {
    const x = at(inputs, 0);
    const windows = windowsOf(attributes);
    const taps = tapsOf(x.shape.slice(2), shape.slice(2), windows);
    return alongTaps(x, shape, [taps.input, taps.output], 1 / elements(windows.kernel));
  },
  tfjs: (tf, inputs, attributes, shape) => {
    const windows = windowsOf(attributes);
    const sum = seenInTfjs(tf, at(inputs, 0), shape.slice(2), windows).reduce((a, b) => tf.add(a, b));
    return tf.div(sum, tf.scalar(elements(windows.kernel)));
  },
  onnx: {
    write: (writer, node) => {
      const windows = windowsOf(node.attributes);
      if (windows.dilations.every((dilation) => dilation === 1)) {
        const attributes = { ...onnxPoolAttributes(windows), count_include_pad: { int: 1 } };
        writer.node('AveragePool', node.inputs, attributes, node.output);
        return;
      }
      // This opset's pooling has no dilations.
      const groups = Number(at(node.inputTypes, 0).shape[1]);
      const size = elements(windows.kernel);
      const kernel = writer.float([groups, 1, ...windows.kernel], new Float32Array(groups * size).fill(1 / size));
      writer.node('Conv', [at(node.inputs, 0), kernel], onnxConvAttributes({ ...windows, groups }, windows.kernel), node.output);
    },
    read: {},
  },
};
