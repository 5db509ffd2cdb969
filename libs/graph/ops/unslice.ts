import { filled, slice, unslice } from '../emit/shape.js';
import type { Cut } from '../emit/shape.js';
import type { Attributes, Shape } from '../graph.js';
import { at, axesAttribute, shapeAttribute } from '../op.js';
import type { OnnxWriter, OpDefinition, WrittenNode } from '../op.js';
import { elements, walk } from '../reference-tensor.js';
import { factorOf, freeDim, isFree, sameShape, stridesOf } from '../shapes.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { constantNumber, operandOf } from './patterns.js';
import { writeReshape } from './reshape.js';
import { checkCut } from './slice.js';

const placeOf = (attributes: Attributes): Omit<Cut, 'sizes'> => ({
  starts: axesAttribute(attributes, 'starts'),
  steps: axesAttribute(attributes, 'steps'),
});

/** Elements that x spans along each axis, with the gaps between. */
const spanOf = (size: number, step: number): number => (size === 0 ? 0 : (size - 1) * Math.abs(step) + 1);

/** Zeros around and between x: the adjoint of `slice`. */
export const unsliceOp: OpDefinition = {
  name: 'unslice',
  shape: (inputs, attributes) => {
    const shape = shapeAttribute(attributes, 'shape');
    checkCut({ ...placeOf(attributes), sizes: at(inputs, 0).shape }, shape);
    return shape;
  },
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const shape = shapeAttribute(attributes, 'shape');
    const { starts, steps } = placeOf(attributes);
    if (sameShape(x.shape, shape) && starts.every((start) => start === 0) && steps.every((step) => step === 1)) return x;
    const [number, only] = [operandOf(x, 'expand') ?? x, x.shape.includes(0)];
    return only || constantNumber(number) === 0 ? filled(e, shape, 0) : undefined;
  },
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => [slice(e, cotangent, { ...placeOf(attributes), sizes: at(inputs, 0).shape })],
    jvp: (e, { output, attributes }, [tangent]) => tangent && unslice(e, tangent, output.shape, placeOf(attributes)),
  },
  reference: (inputs, attributes, shape) => {
    const x = at(inputs, 0);
    const { starts, steps } = placeOf(attributes);
    const strides = stridesOf(shape);
    const base = starts.reduce((offset, start, axis) => offset + start * at(strides, axis), 0);
    const moves = steps.map((step, axis) => step * at(strides, axis));
    const result = new Float64Array(elements(shape));
    walk(x.shape, moves).forEach((offset, i) => (result[base + offset] = x.data[i] ?? Number.NaN));
    return result;
  },
  tfjs: (tf, inputs, attributes, shape) => {
    const x = at(inputs, 0);
    const { starts, steps } = placeOf(attributes);
    if (x.shape.includes(0)) return tf.broadcastTo(tf.scalar(0), shape);
    const backwards = steps.flatMap((step, axis) => (step < 0 ? [axis] : []));
    const turned = backwards.length > 0 ? tf.reverse(x, backwards) : x;
    const spread = steps.reduce(
      (part, step, axis) => (Math.abs(step) > 1 ? spreadInTfjs(tf, part, axis, Math.abs(step)) : part),
      turned,
    );
    const around = spread.shape.map((size, axis): [number, number] => {
      const first = firstPlace(at(starts, axis), at(steps, axis), at(x.shape, axis));
      return [first, at(shape, axis) - first - size];
    });
    return around.every(([before, after]) => before === 0 && after === 0) ? spread : tf.pad(spread, around);
  },
  onnx: { write, read: {} },
};

/** The lowest index that is taken, also when it is taken last. */
const firstPlace = (start: number, step: number, size: number): number => (step < 0 ? start + (size - 1) * step : start);

/** Zeros between the elements along one axis, which is the third of four for a moment. */
function spreadInTfjs(tf: TfjsOps, x: TfjsTensor, axis: number, step: number): TfjsTensor {
  const [size, before, after] = [at(x.shape, axis), elements(x.shape.slice(0, axis)), elements(x.shape.slice(axis + 1))];
  const none: [number, number] = [0, 0];
  const gaps = tf.pad(tf.reshape(x, [before, size, 1, after]), [none, none, [0, step - 1], none]);
  const span = spanOf(size, step);
  const cut = tf.slice(tf.reshape(gaps, [before, size * step, after]), [0, 0, 0], [before, span, after]);
  return tf.reshape(
    cut,
    x.shape.map((dim, i) => (i === axis ? span : dim)),
  );
}

/** A `Pad` at the end; gaps are made by padding a new axis behind each that has them. */
function write(writer: OnnxWriter, node: WrittenNode): void {
  const shape = shapeAttribute(node.attributes, 'shape');
  const { starts, steps } = placeOf(node.attributes);
  const from = at(node.inputTypes, 0).shape;
  let name = at(node.inputs, 0);
  const backwards = steps.flatMap((step, axis) => (step < 0 ? [axis] : []));
  if (backwards.length > 0) {
    const each = (value: number): string => writer.int64s(backwards.map(() => value));
    name = writer.node('Slice', [name, each(-1), each(-(2 ** 53 - 1)), writer.int64s(backwards), each(-1)]);
  }
  const strides = steps.map(Math.abs);
  if (strides.some((stride) => stride > 1)) {
    const pairs = (gaps: boolean): Shape => from.flatMap((dim, axis) => [dim, gaps ? at(strides, axis) : 1]);
    const open = writeReshape(writer, name, pairs(false));
    const pads = [...from.flatMap(() => [0, 0]), ...strides.flatMap((stride) => [0, stride - 1])];
    const padded = writer.node('Pad', [open, writer.int64s(pads)]);
    name = writeReshape(
      writer,
      padded,
      from.map((dim, axis) => times(dim, at(strides, axis))),
    );
  }
  const first = from.map((dim, axis) => (isFree(dim) ? 0 : firstPlace(at(starts, axis), at(steps, axis), dim)));
  // Behind the last element lie `stride - 1` zeros already, perhaps more than there is room for: then the pad is negative.
  const after = from.map((dim, axis) => (isFree(dim) ? 0 : Number(shape[axis]) - at(first, axis) - dim * at(strides, axis)));
  writer.node('Pad', [name, writer.int64s([...first, ...after])], {}, node.output);
}

const times = (dim: Shape[number], factor: number): Shape[number] =>
  isFree(dim) ? freeDim(factorOf(dim) * factor) : dim * factor;
