import { expand, mul, reshape } from '../emit.js';
import { averagePool, averagePoolGradient } from '../emit/convolution.js';
import { at, axesAttribute } from '../op.js';
import type { Emit, OpDefinition, Value } from '../op.js';
import { elements } from '../reference-tensor.js';
import { sameShape } from '../shapes.js';
import { onnxConvAttributes } from './conv.js';
import { convInputGradientInTfjs } from './convolution-tfjs.js';
import { alongTaps, pooledShape, poolingWork } from './pooling.js';
import { reachOf, spatialOf, tapsOf, windowsOf } from './windows.js';
import type { Windows } from './windows.js';

/** Windows that lie side by side and cover everything. */
const isTiling = (size: readonly number[], outputs: readonly number[], { kernel, strides, pads, dilations }: Windows): boolean =>
  sameShape(kernel, strides) &&
  pads.every((pad) => pad === 0) &&
  dilations.every((dilation) => dilation === 1) &&
  size.every((length, axis) => length === at(outputs, axis) * at(kernel, axis));

/** Each element as large as its tile. */
export function tiled(e: Emit, y: Value, tile: readonly number[]): Value {
  const [examples = 1, channels = 1] = y.shape;
  const outputs = spatialOf(y.shape);
  const apart = outputs.flatMap((count) => [count, 1]);
  const wide = outputs.flatMap((count, axis) => [count, at(tile, axis)]);
  const size = outputs.map((count, axis) => count * at(tile, axis));
  const stretched = expand(e, reshape(e, y, [examples, channels, ...apart]), [examples, channels, ...wide]);
  return reshape(e, stretched, [examples, channels, ...size]);
}

/** Each element in equal parts to all places of its window: the adjoint of `averagePool`. */
export const averagePoolGradientOp: OpDefinition = {
  name: 'averagePoolGradient',
  shape: (inputs, attributes) => {
    const y = at(inputs, 0).shape;
    const x = [...y.slice(0, 2), ...axesAttribute(attributes, 'size')];
    if (!sameShape(pooledShape(x, windowsOf(attributes)), y)) throw new Error('A gradient of a pooling of another size');
    return x;
  },
  simplify: (e, inputs, attributes) => {
    const y = at(inputs, 0);
    const windows = windowsOf(attributes);
    if (!isTiling(axesAttribute(attributes, 'size'), spatialOf(y.shape), windows)) return undefined;
    return tiled(e, mul(e, y, e.scalar(1 / elements(windows.kernel))), windows.kernel);
  },
  work: (inputs, attributes) => poolingWork(at(inputs, 0).shape, windowsOf(attributes)),
  derivative: {
    vjp: (e, { attributes }, cotangent) => [averagePool(e, cotangent, windowsOf(attributes))],
    jvp: (e, { attributes }, [tangent]) =>
      tangent && averagePoolGradient(e, tangent, axesAttribute(attributes, 'size'), windowsOf(attributes)),
  },
  reference: (inputs, attributes, shape) => {
    const y = at(inputs, 0);
    const windows = windowsOf(attributes);
    const taps = tapsOf(shape.slice(2), y.shape.slice(2), windows);
    return alongTaps(y, shape, [taps.output, taps.input], 1 / elements(windows.kernel));
  },
  tfjs: (tf, inputs, attributes, shape) => {
    const windows = windowsOf(attributes);
    const groups = at(shape, 1);
    const size = elements(windows.kernel);
    const kernel = tf.tensor(new Float32Array(groups * size).fill(1 / size), [groups, 1, ...windows.kernel], 'float32');
    return convInputGradientInTfjs(tf, at(inputs, 0), kernel, { ...windows, groups }, shape);
  },
  onnx: {
    write: (writer, node) => {
      const windows = windowsOf(node.attributes);
      const { shape } = at(node.inputTypes, 0);
      const [groups, outputs] = [Number(shape[1]), spatialOf(shape)];
      const size = elements(windows.kernel);
      const kernel = writer.float([groups, 1, ...windows.kernel], new Float32Array(groups * size).fill(1 / size));
      const rest = axesAttribute(node.attributes, 'size').map((length, axis) => {
        const spanned = (at(outputs, axis) - 1) * at(windows.strides, axis) + reachOf(windows, axis);
        return length + at(windows.pads, axis) + at(windows.pads, axis + outputs.length) - spanned;
      });
      const attributes = { ...onnxConvAttributes({ ...windows, groups }, windows.kernel), output_padding: { ints: rest } };
      writer.node('ConvTranspose', [at(node.inputs, 0), kernel], attributes, node.output);
    },
    read: {},
  },
};
