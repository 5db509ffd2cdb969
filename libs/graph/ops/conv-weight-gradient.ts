import { addIfAny } from '../emit.js';
import { conv, convInputGradient, convWeightGradient } from '../emit/convolution.js';
import type { Dim, Shape } from '../graph.js';
import { at, axesAttribute } from '../op.js';
import type { OnnxWriter, OpDefinition, WrittenNode } from '../op.js';
import { accumulate, checkTriple, convOptionsOf, convolutionWork, zerosOf } from './convolution.js';
import { convWeightGradientInTfjs } from './convolution-tfjs.js';
import { fixedSize } from '../shapes.js';
import { reachOf, spatialOf } from './windows.js';

/** All places of a kernel, in order. */
const placesOf = (kernel: readonly number[]): number[][] =>
  kernel.reduce<number[][]>(
    (places, size) => places.flatMap((place) => Array.from({ length: size }, (_, k) => [...place, k])),
    [[]],
  );

/** One product of matrices for each place of the kernel: y with x as that place sees it, summed over the examples. */
function write(writer: OnnxWriter, node: WrittenNode): void {
  const options = convOptionsOf(node.attributes);
  const { groups, strides, pads, dilations } = options;
  const kernel = axesAttribute(node.attributes, 'kernel');
  const [shapeX, shapeY] = [at(node.inputTypes, 0).shape, at(node.inputTypes, 1).shape];
  const [results, inGroup] = node.outputType.shape as readonly number[];
  const [size, outputs] = [spatialOf(shapeX), spatialOf(shapeY)];
  const spanned = outputs.map((count, axis) => (count - 1) * at(strides, axis) + reachOf({ ...options, kernel }, axis));
  const behind = spanned.map((span, axis) => Math.max(0, span - at(size, axis) - at(pads, axis)));
  const around = [0, 0, ...pads.slice(0, size.length), 0, 0, ...behind];
  const padded = around.some((pad) => pad > 0)
    ? writer.node('Pad', [at(node.inputs, 0), writer.int64s(around), writer.float([], [0])])
    : at(node.inputs, 0);
  const flat = (name: string, channels: number): string =>
    writer.node('Reshape', [name, writer.int64s([-1, groups, channels, fixedSize(outputs)])]);
  const y = flat(at(node.inputs, 1), Number(results) / groups);
  const axes = writer.int64s(size.map((_, axis) => axis + 2));
  const products = placesOf(kernel).map((place) => {
    const starts = place.map((k, axis) => k * at(dilations, axis));
    const ends = starts.map((start, axis) => start + (at(outputs, axis) - 1) * at(strides, axis) + 1);
    const seen = writer.node('Slice', [padded, writer.int64s(starts), writer.int64s(ends), axes, writer.int64s(strides)]);
    const turned = writer.node('Transpose', [flat(seen, inGroup ?? 1)], { perm: { ints: [0, 1, 3, 2] } });
    const sum = writer.node('ReduceSum', [writer.node('MatMul', [y, turned]), writer.int64s([0])], { keepdims: { int: 0 } });
    return writer.node('Reshape', [sum, writer.int64s([results ?? 1, inGroup ?? 1, 1])]);
  });
  const joined = writer.node('Concat', products, { axis: { int: 2 } });
  writer.node('Reshape', [joined, writer.int64s(node.outputType.shape as readonly number[])], {}, node.output);
}

const kernelShape = (x: Shape, y: Shape, kernel: readonly number[], groups: number): Dim[] => [
  y[1] ?? 1,
  Number(x[1]) / groups,
  ...kernel,
];

/** w[m, c, k] = Σ_{n, o} y[n, m, o] x[n, c, o·stride + k·dilation − pad]: the adjoint of `conv` in the kernel. */
export const convWeightGradientOp: OpDefinition = {
  name: 'convWeightGradient',
  shape: (inputs, attributes) => {
    const [x, y] = [at(inputs, 0).shape, at(inputs, 1).shape];
    const options = convOptionsOf(attributes);
    const kernel = kernelShape(x, y, axesAttribute(attributes, 'kernel'), options.groups);
    checkTriple(x, kernel, y, options);
    return kernel;
  },
  work: (inputs, _attributes, shape) => convolutionWork(shape, at(inputs, 1).shape),
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent, wanted) => {
      const [x, y] = [at(inputs, 0), at(inputs, 1)];
      const options = convOptionsOf(attributes);
      return [
        wanted[0] ? convInputGradient(e, y, cotangent, spatialOf(x.shape), options) : undefined,
        wanted[1] ? conv(e, x, cotangent, options) : undefined,
      ];
    },
    jvp: (e, { inputs, attributes }, [moveX, moveY]) => {
      const options = convOptionsOf(attributes);
      const kernel = axesAttribute(attributes, 'kernel');
      return addIfAny(
        e,
        moveX && convWeightGradient(e, moveX, at(inputs, 1), kernel, options),
        moveY && convWeightGradient(e, at(inputs, 0), moveY, kernel, options),
      );
    },
  },
  reference: (inputs, attributes, shape) =>
    accumulate('kernel', at(inputs, 0), zerosOf(shape), at(inputs, 1), convOptionsOf(attributes)),
  tfjs: (tf, inputs, attributes, shape) =>
    convWeightGradientInTfjs(tf, at(inputs, 0), at(inputs, 1), convOptionsOf(attributes), shape),
  onnx: { write, read: {} },
};
