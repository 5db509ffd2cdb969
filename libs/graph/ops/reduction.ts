/** What ops share that turn the elements along some axes into one. */
import { expand, mul, reduceSum, reshape } from '../emit.js';
import type { Attributes, Shape, ValueType } from '../graph.js';
import { at, axesAttribute, flagAttribute } from '../op.js';
import type { Application, DifferentiableRule, Emit, OnnxNode, OnnxReader, Value, WrittenNode, OnnxWriter } from '../op.js';
import { elements, walk } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { normalizeAxis, stridesOf } from '../shapes.js';
import { axesOf } from './reshape.js';

/** With the axes that are reduced kept as axes of size 1. */
export const kept = (shape: Shape, axes: readonly number[]): Shape => shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));

export const reducedShape = (shape: Shape, attributes: Attributes): Shape => {
  const axes = axesAttribute(attributes, 'axes');
  return flagAttribute(attributes, 'keepDims') ? kept(shape, axes) : shape.filter((_, axis) => !axes.includes(axis));
};

export const shapeOfReduction = (inputs: readonly ValueType[], attributes: Attributes): Shape =>
  reducedShape(at(inputs, 0).shape, attributes);

/** Over axes of size 1 nothing is left to be done. */
export function withoutReduction(e: Emit, inputs: readonly Value[], attributes: Attributes): Value | undefined {
  const x = at(inputs, 0);
  const isOne = axesAttribute(attributes, 'axes').every((axis) => x.shape[axis] === 1);
  return isOne ? reshape(e, x, reducedShape(x.shape, attributes)) : undefined;
}

/** The derivative of a reduction that moves by Σ weight ⊙ ẋ, with weights that are as many as the elements. */
export function weightedSum(weights: (e: Emit, use: Application) => Value): DifferentiableRule {
  return {
    vjp: (e, use, cotangent) => {
      const { shape } = at(use.inputs, 0);
      const whole = reshape(e, cotangent, kept(shape, axesAttribute(use.attributes, 'axes')));
      return [expand(e, mul(e, whole, weights(e, use)), shape)];
    },
    jvp: (e, use, [tangent]) =>
      tangent &&
      reduceSum(
        e,
        mul(e, tangent, weights(e, use)),
        axesAttribute(use.attributes, 'axes'),
        flagAttribute(use.attributes, 'keepDims'),
      ),
  };
}

/** For each place of the other axes, all elements along these axes taken into one number, one after the other. */
export function foldRows(
  x: ReferenceTensor,
  axes: readonly number[],
  initial: number,
  f: (folded: number, x: number) => number,
): Float64Array {
  const shape = kept(x.shape, axes) as number[];
  const strides = stridesOf(shape).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
  const results = new Float64Array(elements(shape)).fill(initial);
  walk(x.shape, strides).forEach((to, i) => (results[to] = f(results[to] ?? Number.NaN, x.data[i] ?? Number.NaN)));
  return results;
}

/** Without axes ONNX means all of them, unless the node says that it then does nothing. */
function reducedAxes(node: OnnxNode): readonly number[] {
  const { shape } = node.input(0);
  const axes = axesOf(node);
  if (axes === undefined || axes.length === 0)
    return node.int('noop_with_empty_axes', 0) === 1 ? [] : shape.map((_, axis) => axis);
  return axes.map((axis) => normalizeAxis(axis, shape.length));
}

type Reduction = (e: Emit, x: Value, axes: readonly number[], keepDims: boolean) => Value;

export const reductionReader =
  (make: Reduction): OnnxReader =>
  (e, node) =>
    make(e, node.input(0), reducedAxes(node), node.int('keepdims', 1) === 1);

/** Axes are an attribute up to opset 17 (an input since, and for ReduceSum since 13). */
export function writeReduction(opType: string, writer: OnnxWriter, node: WrittenNode): void {
  const axes = { ints: axesAttribute(node.attributes, 'axes') };
  const keepdims = { int: flagAttribute(node.attributes, 'keepDims') ? 1 : 0 };
  writer.node(opType, [at(node.inputs, 0)], { axes, keepdims }, node.output);
}
