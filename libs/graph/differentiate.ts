/** Reverse and forward differentiation of values: the rules of the ops, chained. */
import { addIfAny } from './emit.js';
import { reachable } from './builder.js';
import { isDifferentiable } from './op.js';
import type { Application, Emit, OpDefinition, Value } from './op.js';
import { opNamed } from './ops/registry.js';
import { sameShape, showShape } from './shapes.js';

interface OpUse extends Application {
  readonly definition: OpDefinition;
}

const useOf = (value: Value): OpUse | undefined =>
  value.source.kind === 'op'
    ? { definition: opNamed(value.source.op), inputs: value.source.inputs, attributes: value.source.attributes, output: value }
    : undefined;

/** Nothing is derived through whole numbers and truth values. */
const isMoving = (value: Value, { definition }: OpUse): boolean =>
  value.dtype === 'float32' && isDifferentiable(definition.derivative);

const inOrder = (values: Iterable<Value>): Value[] => [...values].sort((a, b) => a.index - b.index);

/** The values among `all` (in order) through which one of `sources` has a derivative. */
function active(all: readonly Value[], sources: readonly Value[]): Set<Value> {
  const result = new Set(sources);
  for (const value of all) {
    const use = useOf(value);
    if (use && isMoving(value, use) && use.inputs.some((input) => result.has(input))) result.add(value);
  }
  return result;
}

/** A rule that gives a derivative of another shape than its value would poison everything after it. */
function checkShape(what: string, derivative: Value, value: Value): void {
  if (!sameShape(derivative.shape, value.shape)) {
    throw new Error(`The ${what} rule gave ${showShape(derivative.shape)} where the value has ${showShape(value.shape)}`);
  }
}

/** The derivative of one number by each of `sources`; undefined where it is zero everywhere. */
export const reverse = (e: Emit, result: Value, sources: readonly Value[]): (Value | undefined)[] =>
  pullback(e, new Map([[result, e.scalar(1)]]), sources);

/** Σ Jᵀu over the given values with their cotangents u, by each of `sources`; undefined where it is zero everywhere. */
export function pullback(e: Emit, given: ReadonlyMap<Value, Value>, sources: readonly Value[]): (Value | undefined)[] {
  const order = inOrder(reachable([...given.keys()]));
  const isActive = active(order, sources);
  const cotangents = new Map(given);
  for (const value of order.toReversed()) {
    const use = useOf(value);
    const cotangent = cotangents.get(value);
    if (use === undefined || cotangent === undefined || !isActive.has(value)) continue;
    const { derivative, name } = use.definition;
    if (!isDifferentiable(derivative)) continue;
    const wanted = use.inputs.map((input) => isActive.has(input));
    for (const [i, part] of derivative.vjp(e, use, cotangent, wanted).entries()) {
      const input = use.inputs[i];
      if (part === undefined || input === undefined || !wanted[i]) continue;
      checkShape(`reverse ${name}`, part, input);
      const sum = addIfAny(e, cotangents.get(input), part);
      if (sum !== undefined) cotangents.set(input, sum);
    }
  }
  return sources.map((source) => cotangents.get(source));
}

/** How `results` move when some values (usually inputs) move along the given tangents; undefined where they do not. */
export function forward(e: Emit, results: readonly Value[], given: ReadonlyMap<Value, Value>): (Value | undefined)[] {
  const tangents = new Map(given);
  for (const value of inOrder(reachable(results))) {
    const use = useOf(value);
    if (use === undefined || tangents.has(value) || !isMoving(value, use)) continue;
    const { derivative } = use.definition;
    if (!isDifferentiable(derivative)) continue;
    const moved = use.inputs.map((input) => tangents.get(input));
    if (moved.every((tangent) => tangent === undefined)) continue;
    const tangent = derivative.jvp(e, use, moved);
    if (tangent === undefined) continue;
    checkShape(`forward ${use.definition.name}`, tangent, value);
    tangents.set(value, tangent);
  }
  return results.map((result) => tangents.get(result));
}
