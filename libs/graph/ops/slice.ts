import { slice, unslice } from '../emit/shape.js';
import type { Cut } from '../emit/shape.js';
import { UnsupportedModel } from '../errors.js';
import type { Attributes, Shape } from '../graph.js';
import { at, axesAttribute, shapeAttribute } from '../op.js';
import type { Emit, OpDefinition, Value } from '../op.js';
import { forEachOffset, walk } from '../reference-tensor.js';
import { expand } from '../emit.js';
import { isFree, sameShape, showShape, stridesOf } from '../shapes.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { madeBy } from './patterns.js';

export const cutOf = (attributes: Attributes): Cut => ({
  starts: axesAttribute(attributes, 'starts'),
  sizes: shapeAttribute(attributes, 'sizes'),
  steps: axesAttribute(attributes, 'steps'),
});

/** The whole free axis or nothing: an example may not be picked by its place in a chunk. */
export function checkCut({ starts, sizes, steps }: Cut, shape: Shape): void {
  shape.forEach((dim, axis) => {
    const [start, size, step] = [at(starts, axis), at(sizes, axis), at(steps, axis)];
    if (start === 0 && step === 1 && size === dim) return;
    if (isFree(dim) || isFree(size)) {
      throw new UnsupportedModel(`A part of the axis of the examples (axis ${axis} of ${showShape(shape)}) is cut out`, {
        value: `${size} from ${start} with step ${step}`,
        expected: 'all examples in their order',
      });
    }
    const last = start + (size - 1) * step;
    if (size > 0 && (step === 0 || Math.min(start, last) < 0 || Math.max(start, last) >= dim)) {
      throw new UnsupportedModel(`${size} elements from ${start} with step ${step} are not in an axis of ${dim}`, {
        value: String(last),
        expected: `indices from 0 to ${dim - 1}`,
      });
    }
  });
}

/** A cut through what another cut left. */
const through = (first: Cut, second: Cut): Cut => ({
  starts: first.starts.map((start, axis) => start + at(second.starts, axis) * at(first.steps, axis)),
  sizes: second.sizes,
  steps: first.steps.map((step, axis) => step * at(second.steps, axis)),
});

/** What was stretched along an axis looks the same wherever it is cut. */
function ofStretched(e: Emit, stretched: Value, small: Value, cut: Cut): Value {
  const skipped = stretched.shape.length - small.shape.length;
  const inner: Cut = {
    starts: small.shape.map((dim, axis) => (dim === 1 ? 0 : at(cut.starts, axis + skipped))),
    sizes: small.shape.map((dim, axis) => (dim === 1 ? 1 : at(cut.sizes, axis + skipped))),
    steps: small.shape.map((dim, axis) => (dim === 1 ? 1 : at(cut.steps, axis + skipped))),
  };
  return expand(e, slice(e, small, inner), cut.sizes);
}

/** The one part of a concatenation in which the whole cut lies. */
function ofPart(e: Emit, parts: readonly Value[], axis: number, cut: Cut): Value | undefined {
  const [start, step] = [at(cut.starts, axis), at(cut.steps, axis)];
  const last = start + (Number(cut.sizes[axis]) - 1) * step;
  let offset = 0;
  for (const part of parts) {
    const end = offset + Number(part.shape[axis]);
    if (Math.min(start, last) >= offset && Math.max(start, last) < end) {
      const starts = cut.starts.map((value, i) => (i === axis ? value - offset : value));
      return slice(e, part, { ...cut, starts });
    }
    offset = end;
  }
  return undefined;
}

const sameCut = (a: Cut, b: Cut): boolean =>
  sameShape(a.sizes, b.sizes) && sameShape(a.starts, b.starts) && sameShape(a.steps, b.steps);

function simplify(e: Emit, x: Value, cut: Cut): Value | undefined {
  if (sameShape(x.shape, cut.sizes) && cut.starts.every((start) => start === 0) && cut.steps.every((step) => step === 1))
    return x;
  const before = madeBy(x, 'slice');
  if (before !== undefined) return slice(e, at(before.inputs, 0), through(cutOf(before.attributes), cut));
  const stretched = madeBy(x, 'expand');
  if (stretched !== undefined) return ofStretched(e, x, at(stretched.inputs, 0), cut);
  const placed = madeBy(x, 'unslice');
  if (placed !== undefined) {
    const inner = at(placed.inputs, 0);
    const where = {
      starts: axesAttribute(placed.attributes, 'starts'),
      sizes: inner.shape,
      steps: axesAttribute(placed.attributes, 'steps'),
    };
    if (sameCut(where, cut)) return inner;
  }
  const joined = madeBy(x, 'concat');
  return joined && ofPart(e, joined.inputs, Number(joined.attributes['axis']), cut);
}

/** Of each axis, `sizes` elements from `starts` on, `steps` apart. */
export const sliceOp: OpDefinition = {
  name: 'slice',
  shape: (inputs, attributes) => {
    const cut = cutOf(attributes);
    checkCut(cut, at(inputs, 0).shape);
    return cut.sizes;
  },
  dtype: (inputs) => at(inputs, 0).dtype,
  simplify: (e, inputs, attributes) => simplify(e, at(inputs, 0), cutOf(attributes)),
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => [unslice(e, cotangent, at(inputs, 0).shape, cutOf(attributes))],
    jvp: (e, { attributes }, [tangent]) => tangent && slice(e, tangent, cutOf(attributes)),
  },
  reference: (inputs, attributes, shape) => {
    const x = at(inputs, 0);
    const { starts, steps } = cutOf(attributes);
    const strides = stridesOf(x.shape);
    const base = starts.reduce((offset, start, axis) => offset + start * at(strides, axis), 0);
    const moves = steps.map((step, axis) => step * at(strides, axis));
    return forEachOffset(walk(shape, moves), (offset) => x.data[base + offset] ?? Number.NaN);
  },
  tfjs: (tf, inputs, attributes, shape) => cutInTfjs(tf, at(inputs, 0), cutOf(attributes), shape),
  onnx: {
    write: (writer, node) => {
      const { starts, sizes, steps } = cutOf(node.attributes);
      const from = at(node.inputTypes, 0).shape;
      const axes = from.flatMap((dim, axis) => (sizes[axis] === dim && steps[axis] === 1 ? [] : [axis]));
      const ends = axes.map((axis) => {
        const end = at(starts, axis) + Number(sizes[axis]) * at(steps, axis);
        return end < 0 ? BEFORE_THE_FIRST : end;
      });
      const lists = [axes.map((axis) => at(starts, axis)), ends, axes, axes.map((axis) => at(steps, axis))];
      writer.node('Slice', [at(node.inputs, 0), ...lists.map((list) => writer.int64s(list))], {}, node.output);
    },
    read: {},
  },
};

/** A backward slice that ends with element 0; −1 would mean the last one. */
const BEFORE_THE_FIRST = -(2 ** 53 - 1);

/** Backwards is reversed first: not every backend of tfjs knows negative strides. */
function cutInTfjs(tf: TfjsOps, x: TfjsTensor, { starts, steps }: Cut, shape: number[]): TfjsTensor {
  const backwards = steps.flatMap((step, axis) => (step < 0 ? [axis] : []));
  const turned = backwards.length > 0 ? tf.reverse(x, backwards) : x;
  const from = starts.map((start, axis) => (at(steps, axis) < 0 ? at(x.shape, axis) - 1 - start : start));
  if (shape.includes(0))
    return tf.slice(
      x,
      from.map(() => 0),
      shape,
    );
  const strides = steps.map(Math.abs);
  if (strides.every((stride) => stride === 1)) return tf.slice(turned, from, shape);
  const ends = from.map((start, axis) => start + (at(shape, axis) - 1) * at(strides, axis) + 1);
  return tf.stridedSlice(turned, from, ends, strides);
}
