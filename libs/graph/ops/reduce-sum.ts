import { countAlong, expand, mul, reduceMean, reduceSum, reshape } from '../emit.js';
import type { Shape } from '../graph.js';
import { at, axesAttribute, flagAttribute } from '../op.js';
import type { OnnxNode, OpDefinition } from '../op.js';
import { stridesOf } from '../shapes.js';
import { normalizeAxis } from '../shapes.js';
import { walk } from '../reference-tensor.js';
import { madeBy } from './patterns.js';
import { axesOf } from './reshape.js';

const kept = (shape: Shape, axes: readonly number[]): Shape => shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
const dropped = (shape: Shape, axes: readonly number[]): Shape => shape.filter((_, axis) => !axes.includes(axis));

function reducedAxes(node: OnnxNode): readonly number[] {
  const { shape } = node.input(0);
  const axes = axesOf(node);
  if (axes === undefined || axes.length === 0)
    return node.int('noop_with_empty_axes', 0) === 1 ? [] : shape.map((_, axis) => axis);
  return axes.map((axis) => normalizeAxis(axis, shape.length));
}

/** The sum over some axes; one of them may be the free one. */
export const reduceSumOp: OpDefinition = {
  name: 'reduceSum',
  shape: (inputs, attributes) =>
    (flagAttribute(attributes, 'keepDims') ? kept : dropped)(at(inputs, 0).shape, axesAttribute(attributes, 'axes')),
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const axes = axesAttribute(attributes, 'axes');
    const result = (flagAttribute(attributes, 'keepDims') ? kept : dropped)(x.shape, axes);
    if (axes.every((axis) => x.shape[axis] === 1)) return reshape(e, x, result);
    const stretched = madeBy(x, 'expand');
    if (stretched === undefined) return undefined;
    // A sum of equal numbers is a multiple.
    const small = at(stretched.inputs, 0);
    const aligned = reshape(e, small, [...Array.from({ length: x.shape.length - small.shape.length }, () => 1), ...small.shape]);
    if (!axes.every((axis) => aligned.shape[axis] === 1)) return undefined;
    const one = reshape(e, small, (result.length === x.shape.length ? kept : dropped)(aligned.shape, axes));
    return expand(e, mul(e, one, countAlong(e, x, axes)), result);
  },
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => {
      const { shape } = at(inputs, 0);
      return [expand(e, reshape(e, cotangent, kept(shape, axesAttribute(attributes, 'axes'))), shape)];
    },
    jvp: (e, { attributes }, [tangent]) =>
      tangent && reduceSum(e, tangent, axesAttribute(attributes, 'axes'), flagAttribute(attributes, 'keepDims')),
  },
  reference: (inputs, attributes) => {
    const x = at(inputs, 0);
    const axes = axesAttribute(attributes, 'axes');
    const shape = kept(x.shape, axes) as number[];
    const strides = stridesOf(shape).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
    const sums = new Float64Array(shape.reduce((size, dim) => size * dim, 1));
    walk(x.shape, strides).forEach((offset, i) => (sums[offset] = (sums[offset] ?? 0) + (x.data[i] ?? Number.NaN)));
    return sums;
  },
  tfjs: (tf, inputs, attributes) =>
    tf.sum(at(inputs, 0), [...axesAttribute(attributes, 'axes')], flagAttribute(attributes, 'keepDims')),
  onnx: {
    write: (writer, node) => {
      const axes = writer.int64s(axesAttribute(node.attributes, 'axes'));
      const keepdims = { int: flagAttribute(node.attributes, 'keepDims') ? 1 : 0 };
      writer.node('ReduceSum', [at(node.inputs, 0), axes], { keepdims }, node.output);
    },
    read: {
      ReduceSum: (e, node) => reduceSum(e, node.input(0), reducedAxes(node), node.int('keepdims', 1) === 1),
      ReduceMean: (e, node) => reduceMean(e, node.input(0), reducedAxes(node), node.int('keepdims', 1) === 1),
    },
  },
};
