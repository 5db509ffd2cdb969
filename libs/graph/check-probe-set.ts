import { ProbeSetMismatch } from './errors.js';
import type { Graph, GraphInput, ProbeSetShape, Role, Shape } from './graph.js';
import { inputsOf } from './queries.js';
import { isFree, showShape } from './shapes.js';

/** Throws a ProbeSetMismatch that names what does not fit. The graph is a training graph. */
export function checkProbeSet(training: Graph, set: ProbeSetShape): void {
  const [data, target] = [only(training, 'data'), only(training, 'target')];
  checkShape('x', set.xShape, data.shape);
  const examples = set.xShape[0] ?? 0;
  if (examples < 1) throw mismatch('x', 'holds no examples', showShape(set.xShape), 'at least one example');
  if (set.yShape[0] !== examples) {
    throw mismatch('y', 'has another number of examples than x', showShape(set.yShape), `${examples} examples`);
  }
  if (target.encoding === 'one-hot') checkClasses(set, target);
  else checkTargets(set, target);
}

function only(graph: Graph, role: Role): GraphInput {
  const [input, ...others] = inputsOf(graph, role);
  if (input === undefined || others.length > 0) throw new Error(`A training graph has one input with the role ${role}`);
  return input;
}

const mismatch = (field: string, problem: string, value: string, expected: string): ProbeSetMismatch =>
  new ProbeSetMismatch(`The probe set's ${field} ${problem}: ${value}, expected ${expected}`, { field, value, expected });

function checkShape(field: string, shape: readonly number[], expected: Shape): void {
  const fits = shape.length === expected.length && expected.every((dim, axis) => isFree(dim) || dim === shape[axis]);
  if (!fits) throw mismatch(field, 'does not fit the model', showShape(shape), showShape(expected));
}

function checkDtype({ yDtype }: ProbeSetShape, expected: string): void {
  if (yDtype !== expected) throw mismatch('y', 'has another dtype than the loss needs', yDtype, expected);
}

function checkClasses(set: ProbeSetShape, target: GraphInput): void {
  const classes = Number(target.shape[1]);
  checkDtype(set, 'int64');
  if (set.yShape.length !== 1) throw mismatch('y', 'is not a list of class indices', showShape(set.yShape), '[examples]');
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
  // One output may come as [examples] as well as [examples, 1].
  const oneOutput = target.shape.length === 2 && target.shape[1] === 1 && set.yShape.length === 1;
  if (!oneOutput) checkShape('y', set.yShape, target.shape);
}
