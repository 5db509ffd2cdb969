/** What the readers of layers share. */
import type { GraphBuilder } from '../builder.js';
import { add } from '../emit.js';
import { UnsupportedModel } from '../errors.js';
import type { Value } from '../op.js';
import type { LayerJson } from './topology.js';

export const DOMAIN = 'tfjs';

/** A layer at one place of the model. */
export interface LayerUse {
  readonly builder: GraphBuilder;
  readonly layer: LayerJson;
  readonly inputs: readonly Value[];
  /** The layer's trained tensor, the same at each place where the layer is used. */
  parameter(name: string, shape: readonly number[]): Value;
}

export type Reader = (use: LayerUse) => Value;

export const unsupported = ({ name, className }: LayerJson, problem: string, expected: string): UnsupportedModel =>
  new UnsupportedModel(`Layer '${name}' (${className}): ${problem}`, { field: `layer ${name}`, expected });

export const lastAxis = (x: Value): number => x.shape.length - 1;

export function only({ layer, inputs }: LayerUse): Value {
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0) throw unsupported(layer, `${inputs.length} inputs`, 'one input');
  return input;
}

/** The size of an axis that may not be free. */
export function fixedDim({ layer }: LayerUse, x: Value, axis: number): number {
  const size = x.shape[axis];
  if (typeof size !== 'number') throw unsupported(layer, 'unknown sizes', 'fixed axes after the first');
  return size;
}

export function whole({ layer }: LayerUse, name: string, byDefault?: number): number {
  const value = layer.config[name] ?? byDefault;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw unsupported(layer, `${name} is ${JSON.stringify(value)}`, `a whole number ${name}`);
}

export function number({ layer }: LayerUse, name: string, byDefault: number): number {
  const value = layer.config[name] ?? byDefault;
  if (typeof value === 'number') return value;
  throw unsupported(layer, `${name} is ${JSON.stringify(value)}`, `a number ${name}`);
}

export const flag = ({ layer }: LayerUse, name: string, byDefault: boolean): boolean => {
  const value = layer.config[name];
  return typeof value === 'boolean' ? value : byDefault;
};

/** One number for each of `count` axes; a single number stands for all. */
export function wholes({ layer }: LayerUse, name: string, count: number, byDefault: number): readonly number[] {
  const value = layer.config[name] ?? byDefault;
  const list = Array.isArray(value) ? (value as unknown[]) : Array.from({ length: count }, () => value);
  if (list.length === count && list.every((each) => typeof each === 'number' && Number.isSafeInteger(each) && each > 0))
    return list as number[];
  throw unsupported(layer, `${name} is ${JSON.stringify(value)}`, `${count} whole numbers above 0`);
}

/** Sets of settings that would make another network than the one that is built here. */
export function must({ layer }: LayerUse, name: string, allowed: readonly unknown[]): void {
  const value = layer.config[name];
  if (value === undefined || value === null || allowed.includes(value)) return;
  throw unsupported(
    layer,
    `${name} is ${JSON.stringify(value)}`,
    `${name} of ${allowed.map((each) => JSON.stringify(each)).join(' or ')}`,
  );
}

export const withBias = (use: LayerUse, x: Value, size: number): Value =>
  flag(use, 'use_bias', true) ? add(use.builder, x, use.parameter('bias', [size])) : x;
