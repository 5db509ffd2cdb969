import type { Shape } from '../graph.js';
import type { Emit, Value } from '../op.js';

/** A use of an op that the tests differentiate and run. */
export interface Sample {
  readonly op: string;
  readonly case: string;
  readonly inputs: readonly Shape[];
  /** Range of the inputs, where the op needs one. */
  readonly range?: readonly [number, number];
  readonly make: (e: Emit, inputs: readonly Value[]) => Value;
}
