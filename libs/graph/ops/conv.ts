import { addIfAny } from '../emit.js';
import { conv, convInputGradient, convWeightGradient } from '../emit/convolution.js';
import { at } from '../op.js';
import type { OnnxAttribute, OpDefinition } from '../op.js';
import type { ConvOptions } from '../emit/convolution.js';
import { accumulate, checkTriple, convOptionsOf, convolutionWork, convolvedShape, zerosOf } from './convolution.js';
import { convInTfjs } from './convolution-tfjs.js';
import { spatialOf } from './windows.js';

export const onnxConvAttributes = (options: ConvOptions, kernel: readonly number[]): Record<string, OnnxAttribute> => ({
  kernel_shape: { ints: kernel },
  strides: { ints: options.strides },
  pads: { ints: options.pads },
  dilations: { ints: options.dilations },
  group: { int: options.groups },
});

/** y[n, m, o] = Σ_{c, k} x[n, c, o·stride + k·dilation − pad] w[m, c, k], within each group of channels. */
export const convOp: OpDefinition = {
  name: 'conv',
  shape: (inputs, attributes) => {
    const [x, kernel] = [at(inputs, 0).shape, at(inputs, 1).shape];
    const options = convOptionsOf(attributes);
    const y = convolvedShape(x, kernel, options);
    checkTriple(x, kernel, y, options);
    return y;
  },
  work: (inputs, _attributes, shape) => convolutionWork(at(inputs, 1).shape, shape),
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent, wanted) => {
      const [x, kernel] = [at(inputs, 0), at(inputs, 1)];
      const options = convOptionsOf(attributes);
      return [
        wanted[0] ? convInputGradient(e, cotangent, kernel, spatialOf(x.shape), options) : undefined,
        wanted[1] ? convWeightGradient(e, x, cotangent, spatialOf(kernel.shape), options) : undefined,
      ];
    },
    jvp: (e, { inputs, attributes }, [moveX, moveKernel]) => {
      const options = convOptionsOf(attributes);
      return addIfAny(
        e,
        moveX && conv(e, moveX, at(inputs, 1), options),
        moveKernel && conv(e, at(inputs, 0), moveKernel, options),
      );
    },
  },
  reference: (inputs, attributes, shape) =>
    accumulate('y', at(inputs, 0), at(inputs, 1), zerosOf(shape), convOptionsOf(attributes)),
  tfjs: (tf, inputs, attributes, shape) => convInTfjs(tf, at(inputs, 0), at(inputs, 1), convOptionsOf(attributes), shape),
  onnx: {
    write: (writer, node) => {
      const kernel = spatialOf(at(node.inputTypes, 1).shape);
      writer.node('Conv', node.inputs, onnxConvAttributes(convOptionsOf(node.attributes), kernel), node.output);
    },
    read: {},
  },
};
