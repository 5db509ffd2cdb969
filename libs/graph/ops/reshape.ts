import { reshape } from '../emit.js';
import { UnsupportedModel } from '../errors.js';
import type { Dim, Shape } from '../graph.js';
import { at, shapeAttribute } from '../op.js';
import type { OnnxNode, OnnxWriter, OpDefinition, Value } from '../op.js';
import { factorOf, fixedSize, freeAxes, freeDim, isFree, mergedDim, normalizeAxis, sameShape, showShape } from '../shapes.js';
import { dtypeOfFirst } from './dtypes.js';
import { madeBy } from './patterns.js';
import { beforeStretching } from './stretched.js';

function checkSizes(from: Shape, to: Shape): Shape {
  const whole = to.every((dim) => Number.isInteger(factorOf(dim)));
  if (whole && fixedSize(from) === fixedSize(to) && freeAxes(from) === freeAxes(to)) return to;
  throw new UnsupportedModel(`A tensor of shape ${showShape(from)} cannot take the shape ${showShape(to)}`, {
    value: showShape(to),
    expected: `as many elements as ${showShape(from)}, with the batch axis kept apart`,
  });
}

/** ONNX: 0 copies the axis of the input, one −1 is what remains. */
function completed(wanted: Shape, from: Shape, zeroCopies: boolean): Shape {
  const dims = wanted.map((dim, axis): Dim => (dim === 0 && zeroCopies ? (from[axis] ?? 0) : dim));
  const open = dims.indexOf(-1);
  if (open < 0) return dims;
  const others = dims.filter((_, axis) => axis !== open);
  const rest = fixedSize(from) / fixedSize(others);
  dims[open] = freeAxes(from) > freeAxes(others) ? freeDim(rest) : rest;
  return dims;
}

/** `flatten(x, axis)`: the axes before and those from there on, each as one. */
function flattened(node: OnnxNode): Shape {
  const { shape } = node.input(0);
  const given = node.int('axis', 1);
  const axis = given === shape.length ? given : normalizeAxis(given, shape.length);
  const merge = (dims: Shape): Dim => {
    const merged = mergedDim(dims);
    if (merged === undefined) throw node.unsupported(`flattening ${showShape(shape)} at axis ${axis} would merge two free axes`);
    return merged;
  };
  return [merge(shape.slice(0, axis)), merge(shape.slice(axis))];
}

/** Axes are an attribute before opset 13 and an input since. */
export const axesOf = (node: OnnxNode): readonly number[] | undefined =>
  node.has(1) ? (node.sizes(1) as readonly number[]) : node.ints('axes');

function squeezed(node: OnnxNode): Shape {
  const { shape } = node.input(0);
  const axes = axesOf(node)?.map((axis) => normalizeAxis(axis, shape.length));
  return shape.filter((dim, axis) => (axes === undefined ? dim !== 1 : !axes.includes(axis)));
}

function unsqueezed(node: OnnxNode): Shape {
  const { shape } = node.input(0);
  const given = axesOf(node) ?? [];
  const rank = shape.length + given.length;
  const axes = given.map((axis) => normalizeAxis(axis, rank));
  if (new Set(axes).size < axes.length) throw node.unsupported(`the new axes ${axes.join(', ')}`, 'each axis once');
  const rest = [...shape];
  return Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? 1)));
}

/**
 * Where a reshape only adds and takes away axes of size 1: the shape that it gives to `small`, from which x was stretched.
 * (Axes of size 1 stay so.)
 */
function withoutUnits(from: Shape, small: Shape, to: Shape): Shape | undefined {
  const long = from.flatMap((dim, axis) => (dim === 1 ? [] : [axis]));
  const wanted = to.filter((dim) => dim !== 1);
  if (wanted.length !== long.length || wanted.some((dim, i) => dim !== from[long[i] ?? 0])) return undefined;
  let next = 0;
  return to.map((dim) => (dim === 1 ? 1 : (small[long[next++] ?? 0] ?? 1)));
}

/** Of a tensor that has this name. */
export function writeReshape(writer: OnnxWriter, name: string, shape: Shape, output?: string): string {
  const empty = shape.includes(0);
  // With one free axis, "what remains" is the number of examples; it cannot be told where there are no elements.
  const remains = freeAxes(shape) <= 1 && !empty;
  const sizes = remains ? writer.int64s(shape.map((dim) => (isFree(dim) ? -1 : dim))) : writer.sizes(shape);
  return writer.node('Reshape', [name, sizes], empty ? { allowzero: { int: 1 } } : {}, output);
}

/** The same elements in the same order under another shape. */
export const reshapeOp: OpDefinition = {
  name: 'reshape',
  shape: (inputs, attributes) => checkSizes(at(inputs, 0).shape, shapeAttribute(attributes, 'shape')),
  dtype: dtypeOfFirst,
  simplify: (e, inputs, attributes): Value | undefined => {
    const x = at(inputs, 0);
    const shape = shapeAttribute(attributes, 'shape');
    if (sameShape(x.shape, shape)) return x;
    const before = madeBy(x, 'reshape');
    if (before !== undefined) return reshape(e, at(before.inputs, 0), shape);
    const stretched = madeBy(x, 'expand');
    const small = stretched && at(stretched.inputs, 0);
    const spread = beforeStretching(e, x);
    const unit = spread && withoutUnits(x.shape, spread.shape, shape);
    if (spread !== undefined && unit !== undefined) return e.apply('expand', [reshape(e, spread, unit)], { shape });
    // One number that was stretched can be stretched to any shape.
    return small && fixedSize(small.shape) === 1 && freeAxes(small.shape) === 0
      ? e.apply('expand', [reshape(e, small, [])], { shape: checkSizes(x.shape, shape) })
      : undefined;
  },
  derivative: {
    vjp: (e, { inputs }, cotangent) => [reshape(e, cotangent, at(inputs, 0).shape)],
    jvp: (e, { output }, [tangent]) => tangent && reshape(e, tangent, output.shape),
  },
  reference: (inputs) => at(inputs, 0).data.slice(),
  tfjs: (tf, inputs, _, shape) => tf.reshape(at(inputs, 0), shape),
  onnx: {
    write: (writer, node) => void writeReshape(writer, at(node.inputs, 0), shapeAttribute(node.attributes, 'shape'), node.output),
    read: {
      Reshape: (e, node) => {
        const x = node.input(0);
        return reshape(e, x, completed(node.sizes(1), x.shape, node.int('allowzero', 0) === 0));
      },
      Flatten: (e, node) => reshape(e, node.input(0), flattened(node)),
      Squeeze: (e, node) => reshape(e, node.input(0), squeezed(node)),
      Unsqueeze: (e, node) => reshape(e, node.input(0), unsqueezed(node)),
    },
  },
};
