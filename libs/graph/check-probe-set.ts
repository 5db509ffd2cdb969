import { ProbeSetMismatch } from './errors.js';
import type { Graph, GraphInput, ProbeSetShape, Shape } from './graph.js';
import { inputsOf } from './queries.js';
import { isFree, resolveShape, showShape } from './shapes.js';

/** Throws a ProbeSetMismatch that names what does not fit. The graph is a training graph. */
export function checkProbeSet(training: Graph, set: ProbeSetShape): void {
  const examples = set.xShape[0] ?? 0;
  const data = inputsOf(training, 'data');
  for (const [i, input] of data.entries()) checkData(input, set, i === 0, data.length > 1);
  if (examples < 1) throw mismatch('x', 'holds no examples', showShape(set.xShape), 'at least one example');
  const [target] = inputsOf(training, 'target');
  if (target === undefined) return;
  if (set.yShape[0] !== examples) {
    throw mismatch('y', 'has another number of examples than x', showShape(set.yShape), `${examples} examples`);
  }
  if (target.encoding === 'values') checkTargets(set, target);
  else checkClasses(set, target);
}

const mismatch = (field: string, problem: string, value: string, expected: string): ProbeSetMismatch =>
  new ProbeSetMismatch(`The probe set's ${field} ${problem}: ${value}, expected ${expected}`, { field, value, expected });

/** A model with one data input takes `x`; one with several takes arrays by their names, and the first may be `x`. */
function checkData({ name, dtype, shape }: GraphInput, set: ProbeSetShape, isFirst: boolean, several: boolean): void {
  const x = { shape: set.xShape, dtype: set.xDtype };
  const given = set.inputs?.[name] ?? (isFirst ? x : undefined);
  const field = several && set.inputs?.[name] !== undefined ? name : 'x';
  if (given === undefined) {
    const held = Object.keys(set.inputs ?? {}).join(', ') || 'x';
    throw mismatch('x', `holds nothing for the model's input '${name}'`, held, `an array '${name}' of shape ${showShape(shape)}`);
  }
  checkShape(field, given.shape, shape);
  if (given.shape[0] !== set.xShape[0]) {
    throw mismatch(field, 'has another number of examples than x', showShape(given.shape), `${set.xShape[0]} examples`);
  }
  if (dtype !== 'float32' && given.dtype?.startsWith('float') === true) {
    throw mismatch(field, 'has another dtype than the model takes', given.dtype, dtype);
  }
}

function checkShape(field: string, shape: readonly number[], expected: Shape): void {
  const fits = shape.length === expected.length && expected.every((dim, axis) => isFree(dim) || dim === shape[axis]);
  if (!fits) throw mismatch(field, 'does not fit the model', showShape(shape), showShape(expected));
}

function checkDtype({ yDtype }: ProbeSetShape, expected: string): void {
  if (yDtype !== expected) throw mismatch('y', 'has another dtype than the loss needs', yDtype, expected);
}

function checkClasses(set: ProbeSetShape, target: GraphInput): void {
  checkDtype(set, 'int64');
  // The classes of a one-hot target are its last axis; y has an index in its place.
  const expected = target.encoding === 'one-hot' ? target.shape.slice(0, -1) : target.shape;
  const shape = resolveShape(expected, set.yShape[0]);
  if (set.yShape.join() !== shape.join()) {
    const wanted = shape.length === 1 ? '[examples]' : showShape(['batch', ...shape.slice(1)]);
    const problem = shape.length === 1 ? 'is not a list of class indices' : 'does not hold a class index for each token';
    throw mismatch('y', problem, showShape(set.yShape), wanted);
  }
  const { classes } = target;
  if (classes === undefined) return;
  if ((set.minClass ?? 0) < 0) throw mismatch('y', 'has a negative class', String(set.minClass), 'classes from 0 on');
  if (set.maxClass !== undefined && set.maxClass >= classes) {
    throw mismatch('y', 'has a class that the model has no output for', String(set.maxClass), `classes from 0 to ${classes - 1}`);
  }
  const named = set.classNames?.length ?? 0;
  if (named > 0 && named !== classes) {
    throw mismatch('class names', 'are not as many as the outputs of the model', String(named), String(classes));
  }
}

function checkTargets(set: ProbeSetShape, target: GraphInput): void {
  checkDtype(set, 'float32');
  // One output may come as [examples] as well as [examples, 1], and several axes as one.
  const flat = set.yShape.slice(1).reduce((size, dim) => size * dim, 1);
  const wanted = target.shape.slice(1).reduce<number>((size, dim) => size * Number(dim), 1);
  if (!(set.yShape.length <= 2 && flat === wanted)) checkShape('y', set.yShape, target.shape);
}
