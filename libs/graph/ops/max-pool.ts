import { reshape } from '../emit.js';
import { gatherElements, scatterElementsAdd } from '../emit/shape.js';
import { maxPoolIndex } from '../emit/convolution.js';
import type { Shape } from '../graph.js';
import { at } from '../op.js';
import type { OpDefinition } from '../op.js';
import { fixedSize } from '../shapes.js';
import { seenInTfjs } from './convolution-tfjs.js';
import { largestOf, onnxPoolAttributes, pooledShape, poolingWork } from './pooling.js';
import { windowsOf } from './windows.js';

/** [examples, channels, all of space as one axis] */
const flat = (shape: Shape): Shape => [...shape.slice(0, 2), fixedSize(shape.slice(2))];

/** The largest of each window; of equal ones the first counts, which is what derivatives follow. Padding does not count. */
export const maxPoolOp: OpDefinition = {
  name: 'maxPool',
  shape: (inputs, attributes) => pooledShape(at(inputs, 0).shape, windowsOf(attributes)),
  work: (_inputs, attributes, shape) => poolingWork(shape, windowsOf(attributes)),
  derivative: {
    vjp: (e, { inputs, attributes, output }, cotangent) => {
      const x = at(inputs, 0);
      const index = reshape(e, maxPoolIndex(e, x, windowsOf(attributes)), flat(output.shape));
      const spread = scatterElementsAdd(e, reshape(e, cotangent, flat(output.shape)), index, 2, flat(x.shape));
      return [reshape(e, spread, x.shape)];
    },
    jvp: (e, { inputs, attributes, output }, [tangent]) => {
      const x = at(inputs, 0);
      const index = reshape(e, maxPoolIndex(e, x, windowsOf(attributes)), flat(output.shape));
      return tangent && reshape(e, gatherElements(e, reshape(e, tangent, flat(x.shape)), index, 2), output.shape);
    },
  },
  reference: (inputs, attributes, shape) => {
    const x = at(inputs, 0);
    return Float64Array.from(largestOf(x, windowsOf(attributes), shape).places, (place) => x.data[place] ?? Number.NaN);
  },
  tfjs: (tf, inputs, attributes, shape) => {
    const seen = seenInTfjs(tf, at(inputs, 0), shape.slice(2), windowsOf(attributes), Number.NEGATIVE_INFINITY);
    return seen.reduce((a, b) => tf.maximum(a, b));
  },
  onnx: {
    write: (writer, node) =>
      void writer.node('MaxPool', node.inputs, onnxPoolAttributes(windowsOf(node.attributes)), node.output),
    read: {},
  },
};
