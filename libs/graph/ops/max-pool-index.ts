import { at } from '../op.js';
import type { OpDefinition } from '../op.js';
import { elements } from '../reference-tensor.js';
import { fixedSize } from '../shapes.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { seenInTfjs } from './convolution-tfjs.js';
import { largestOf, onnxPoolAttributes, pooledShape, poolingWork } from './pooling.js';
import { spatialOf, windowsOf } from './windows.js';
import type { Windows } from './windows.js';

/** The places of the input's elements, seen through the same windows, are picked where a larger value turns up. */
function inTfjs(tf: TfjsOps, x: TfjsTensor, windows: Windows, shape: readonly number[]): TfjsTensor {
  const [space, outputs] = [x.shape.slice(2), shape.slice(2)];
  const counted = tf.tensor(
    Int32Array.from({ length: elements(space) }, (_, i) => i),
    [1, 1, ...space],
    'int32',
  );
  const seen = seenInTfjs(tf, x, outputs, windows, Number.NEGATIVE_INFINITY);
  // A place outside never wins, but where all are −∞; then any of the window's serves, so it takes the nearest.
  const places = seenInTfjs(tf, counted, outputs, windows, 0).map((place) => tf.broadcastTo(place, [...shape]));
  let [largest, place] = [at(seen, 0), at(places, 0)];
  seen.forEach((value, i) => {
    const larger = tf.greater(value, largest);
    place = tf.where(larger, at(places, i), place);
    largest = tf.maximum(largest, value);
  });
  return place;
}

/** Where each window has its first largest element, counted through all spatial axes of the input. */
export const maxPoolIndexOp: OpDefinition = {
  name: 'maxPoolIndex',
  shape: (inputs, attributes) => pooledShape(at(inputs, 0).shape, windowsOf(attributes)),
  dtype: () => 'int64',
  work: (_inputs, attributes, shape) => poolingWork(shape, windowsOf(attributes)),
  derivative: { piecewiseConstant: 'A place does not move until another element is larger.' },
  reference: (inputs, attributes, shape) => {
    const x = at(inputs, 0);
    const { places, perChannel } = largestOf(x, windowsOf(attributes), shape);
    return Float64Array.from(places, (place) => place % perChannel);
  },
  tfjs: (tf, inputs, attributes, shape) => inTfjs(tf, at(inputs, 0), windowsOf(attributes), shape),
  onnx: {
    write: (writer, node) => {
      // ONNX counts through the whole tensor.
      const places = writer.node('MaxPool', node.inputs, onnxPoolAttributes(windowsOf(node.attributes)), undefined, 1);
      const perChannel = fixedSize(spatialOf(at(node.inputTypes, 0).shape));
      writer.node('Mod', [places, writer.int64s([perChannel])], {}, node.output);
    },
    read: {},
  },
};
