import { addIfAny } from '../emit.js';
import { conv, convInputGradient, convWeightGradient } from '../emit/convolution.js';
import type { ConvOptions } from '../emit/convolution.js';
import type { Shape } from '../graph.js';
import { at, axesAttribute } from '../op.js';
import type { OnnxWriter, OpDefinition, WrittenNode } from '../op.js';
import { onnxConvAttributes } from './conv.js';
import { accumulate, checkTriple, convOptionsOf, convolutionWork, zerosOf } from './convolution.js';
import { convInputGradientInTfjs } from './convolution-tfjs.js';
import { reachOf, spatialOf } from './windows.js';

/** With a stride of 1 it is a convolution with the kernel turned around, whose padding is what the window reaches beyond. */
function turnedPads(kernel: readonly number[], options: ConvOptions): readonly number[] | undefined {
  const rank = kernel.length;
  const reach = (axis: number): number => reachOf({ ...options, kernel }, axis % rank) - 1;
  const pads = options.pads.map((pad, i) => reach(i) - pad);
  return options.strides.every((stride) => stride === 1) && pads.every((pad) => pad >= 0) ? pads : undefined;
}

/** [out, in / groups, …] backwards in space, as [in, out / groups, …]. */
function turnedKernel(writer: OnnxWriter, kernel: string, shape: readonly number[], groups: number): string {
  const [results = 1, inGroup = 1, ...space] = shape;
  const axes = space.map((_, axis) => axis + 2);
  const [first, beforeFirst, back] = [-1, -(2 ** 53 - 1), -1].map((value) => writer.int64s(axes.map(() => value)));
  const turned = space.every((size) => size === 1)
    ? kernel
    : writer.node('Slice', [kernel, first ?? '', beforeFirst ?? '', writer.int64s(axes), back ?? '']);
  const apart = writer.node('Reshape', [turned, writer.int64s([groups, results / groups, inGroup, ...space])]);
  const swapped = writer.node('Transpose', [apart], { perm: { ints: [0, 2, 1, ...axes.map((axis) => axis + 1)] } });
  return writer.node('Reshape', [swapped, writer.int64s([groups * inGroup, results / groups, ...space])]);
}

function write(writer: OnnxWriter, node: WrittenNode): void {
  const options = convOptionsOf(node.attributes);
  const [y, kernel] = [at(node.inputs, 0), at(node.inputs, 1)];
  const [shapeY, shapeK] = [at(node.inputTypes, 0).shape, at(node.inputTypes, 1).shape as readonly number[]];
  const space = spatialOf(shapeK);
  const pads = turnedPads(space, options);
  if (pads !== undefined) {
    const turned = turnedKernel(writer, kernel, shapeK, options.groups);
    writer.node('Conv', [y, turned], onnxConvAttributes({ ...options, pads }, space), node.output);
    return;
  }
  // The last elements of x, which no window reached.
  const rest = axesAttribute(node.attributes, 'size').map((length, axis) => {
    const spanned = (at(spatialOf(shapeY), axis) - 1) * at(options.strides, axis) + reachOf({ ...options, kernel: space }, axis);
    return length + at(options.pads, axis) + at(options.pads, axis + space.length) - spanned;
  });
  const attributes = { ...onnxConvAttributes(options, space), output_padding: { ints: rest } };
  writer.node('ConvTranspose', [y, kernel], attributes, node.output);
}

const inputShape = (y: Shape, kernel: Shape, size: readonly number[], groups: number): Shape => [
  y[0] ?? 1,
  Number(kernel[1]) * groups,
  ...size,
];

/** x[n, c, i] = Σ y[n, m, o] w[m, c, k] over all windows that i is in: the adjoint of `conv` in x. */
export const convInputGradientOp: OpDefinition = {
  name: 'convInputGradient',
  shape: (inputs, attributes) => {
    const [y, kernel] = [at(inputs, 0).shape, at(inputs, 1).shape];
    const options = convOptionsOf(attributes);
    const x = inputShape(y, kernel, axesAttribute(attributes, 'size'), options.groups);
    checkTriple(x, kernel, y, options);
    return x;
  },
  work: (inputs) => convolutionWork(at(inputs, 1).shape, at(inputs, 0).shape),
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent, wanted) => {
      const [y, kernel] = [at(inputs, 0), at(inputs, 1)];
      const options = convOptionsOf(attributes);
      return [
        wanted[0] ? conv(e, cotangent, kernel, options) : undefined,
        wanted[1] ? convWeightGradient(e, cotangent, y, spatialOf(kernel.shape), options) : undefined,
      ];
    },
    jvp: (e, { inputs, attributes }, [moveY, moveKernel]) => {
      const options = convOptionsOf(attributes);
      const size = axesAttribute(attributes, 'size');
      return addIfAny(
        e,
        moveY && convInputGradient(e, moveY, at(inputs, 1), size, options),
        moveKernel && convInputGradient(e, at(inputs, 0), moveKernel, size, options),
      );
    },
  },
  reference: (inputs, attributes, shape) =>
    accumulate('x', zerosOf(shape), at(inputs, 1), at(inputs, 0), convOptionsOf(attributes)),
  tfjs: (tf, inputs, attributes, shape) =>
    convInputGradientInTfjs(tf, at(inputs, 0), at(inputs, 1), convOptionsOf(attributes), shape),
  onnx: { write, read: {} },
};
