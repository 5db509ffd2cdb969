import type { GraphBuilder } from '../builder.js';
import type { GraphInput, GraphOutput, LossSpec } from '../graph.js';
import type { Value } from '../op.js';

/** What a loss is made of. */
export interface LossUse {
  readonly builder: GraphBuilder;
  readonly spec: LossSpec;
  /** [batch, …] */
  readonly prediction: Value;
  readonly meaning: GraphOutput['meaning'];
  /** Of more classes than this a target is indices. */
  readonly maxOneHotClasses: number;
  /** Makes the target's input. */
  target(input: Pick<GraphInput, 'dtype' | 'shape' | 'encoding' | 'classes' | 'ignoredClass'>): Value;
}

/** Both [batch]. */
export interface Losses {
  readonly losses: Value;
  /** 1 each where it is missing. */
  readonly weights?: Value;
}

/** The axes after the examples. */
export const outputAxes = ({ shape }: Value): number[] => shape.map((_, axis) => axis).slice(1);
