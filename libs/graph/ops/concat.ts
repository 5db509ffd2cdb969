import { expand } from '../emit.js';
import { concat, filled, slice, sliceAlong } from '../emit/shape.js';
import { UnsupportedModel } from '../errors.js';
import type { Shape, ValueType } from '../graph.js';
import { at, axesAttribute, numberAttribute, shapeAttribute } from '../op.js';
import type { Emit, OpDefinition, Value } from '../op.js';
import { elements } from '../reference-tensor.js';
import { isFree, normalizeAxis, sameShape, showShape } from '../shapes.js';
import { madeBy } from './patterns.js';
import { beforeStretching } from './stretched.js';

const without = (shape: Shape, axis: number): Shape => shape.filter((_, i) => i !== axis);

function joinedShape(inputs: readonly ValueType[], axis: number): Shape {
  const first = at(inputs, 0).shape;
  if (inputs.length === 1) return first;
  const sizes = inputs.map(({ shape }) => shape[axis]);
  const [free] = sizes.filter(isFree);
  if (free !== undefined) {
    throw new UnsupportedModel(`Tensors are joined along the axis of the examples (${free})`, {
      value: inputs.map(({ shape }) => showShape(shape)).join(', '),
      expected: 'another axis: an example may not depend on the others',
    });
  }
  const others = without(first, axis);
  const odd = inputs.find(({ shape, dtype }) => !sameShape(without(shape, axis), others) || dtype !== at(inputs, 0).dtype);
  if (odd !== undefined) {
    throw new UnsupportedModel(
      `${odd.dtype} ${showShape(odd.shape)} cannot be joined along axis ${axis} to ${showShape(first)}`,
      {
        value: showShape(odd.shape),
        expected: `${at(inputs, 0).dtype} ${showShape(first)} but for axis ${axis}`,
      },
    );
  }
  return first.map((dim, i) => (i === axis ? sizes.reduce<number>((sum, size) => sum + Number(size), 0) : dim));
}

/** Two parts of one tensor that lie side by side are one part. */
function adjoining(e: Emit, a: Value, b: Value, axis: number): Value | undefined {
  const [cutA, cutB] = [madeBy(a, 'slice'), madeBy(b, 'slice')];
  if (cutA === undefined || cutB === undefined || cutA.inputs[0] !== cutB.inputs[0]) return undefined;
  const [startsA, startsB] = [axesAttribute(cutA.attributes, 'starts'), axesAttribute(cutB.attributes, 'starts')];
  const steps = axesAttribute(cutA.attributes, 'steps');
  const end = at(startsA, axis) + Number(a.shape[axis]) * at(steps, axis);
  const follows = startsB.every((start, i) => start === (i === axis ? end : startsA[i]));
  if (!follows || axesAttribute(cutB.attributes, 'steps').some((step, i) => step !== steps[i])) return undefined;
  const sizes = shapeAttribute(cutA.attributes, 'sizes').map((dim, i) =>
    i === axis ? Number(dim) + Number(b.shape[axis]) : dim,
  );
  return slice(e, at(cutA.inputs, 0), { starts: startsA, sizes, steps });
}

/** Parts that were all stretched along one axis are joined before. */
function ofStretched(e: Emit, parts: readonly Value[], axis: number): Value | undefined {
  const smalls = parts.flatMap((part) => beforeStretching(e, part) ?? []);
  if (smalls.length < parts.length) return undefined;
  const isLater = at(parts, 0).shape.map((dim, i) => i !== axis && dim !== 1 && smalls.every(({ shape }) => shape[i] === 1));
  if (!isLater.includes(true)) return undefined;
  const narrow = (shape: Shape): Shape => shape.map((dim, i) => (isLater[i] ? 1 : dim));
  const joined = concat(
    e,
    smalls.map((small, i) => expand(e, small, narrow(at(parts, i).shape))),
    axis,
  );
  return expand(
    e,
    joined,
    joined.shape.map((dim, i) => (isLater[i] ? at(at(parts, 0).shape, i) : dim)),
  );
}

/** Joins tensors along an axis. */
export const concatOp: OpDefinition = {
  name: 'concat',
  shape: (inputs, attributes) => joinedShape(inputs, numberAttribute(attributes, 'axis')),
  dtype: (inputs) => at(inputs, 0).dtype,
  simplify: (e, inputs, attributes) => {
    const axis = numberAttribute(attributes, 'axis');
    if (inputs.length === 1) return at(inputs, 0);
    const parts: Value[] = [];
    for (const input of inputs.flatMap((part) => nested(part, axis) ?? [part])) {
      if (input.shape[axis] === 0) continue;
      const last = parts.at(-1);
      const both = last && adjoining(e, last, input, axis);
      if (both === undefined) parts.push(input);
      else parts.splice(-1, 1, both);
    }
    if (parts.length === inputs.length && parts.every((part, i) => part === inputs[i])) return ofStretched(e, parts, axis);
    return parts.length === 0 ? at(inputs, 0) : concat(e, parts, axis);
  },
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent, wanted) => {
      const axis = numberAttribute(attributes, 'axis');
      if (inputs.length === 1) return [cotangent];
      let start = 0;
      return inputs.map((input, i) => {
        const size = Number(input.shape[axis]);
        start += size;
        return wanted[i] ? sliceAlong(e, cotangent, axis, start - size, size) : undefined;
      });
    },
    jvp: (e, { inputs, attributes }, tangents) =>
      concat(
        e,
        inputs.map((input, i) => tangents[i] ?? filled(e, input.shape, 0)),
        numberAttribute(attributes, 'axis'),
      ),
  },
  reference: (inputs, attributes, shape) => {
    const axis = numberAttribute(attributes, 'axis');
    const result = new Float64Array(elements(shape));
    const rows = elements(shape.slice(0, axis));
    const widths = inputs.map((input) => elements(input.shape.slice(axis)));
    let position = 0;
    for (let row = 0; row < rows; row++) {
      inputs.forEach(({ data }, i) => {
        const width = at(widths, i);
        result.set(data.subarray(row * width, (row + 1) * width), position);
        position += width;
      });
    }
    return result;
  },
  tfjs: (tf, inputs, attributes) =>
    inputs.length === 1 ? at(inputs, 0) : tf.concat([...inputs], numberAttribute(attributes, 'axis')),
  onnx: {
    write: (writer, node) =>
      void writer.node('Concat', node.inputs, { axis: { int: numberAttribute(node.attributes, 'axis') } }, node.output),
    read: {
      Concat: (e, node) => {
        const parts = Array.from({ length: node.inputCount }, (_, i) => node.input(i));
        return concat(e, parts, normalizeAxis(node.int('axis', 0), at(parts, 0).shape.length));
      },
    },
  },
};

const nested = (part: Value, axis: number): readonly Value[] | undefined => {
  const joined = madeBy(part, 'concat');
  return joined?.attributes['axis'] === axis ? joined.inputs : undefined;
};
