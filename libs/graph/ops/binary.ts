/** The family of functions of two numbers, applied elementwise with broadcasting. */
import { sumTo } from '../emit.js';
import { at } from '../op.js';
import type { Application, DifferentiableRule, Emit, OpDefinition, Value } from '../op.js';
import { pairwise } from './pairwise.js';
import type { Pairwise } from './pairwise.js';

interface Binary extends Pairwise {
  /** What the cotangent gives to a and to b, before the sum over what was broadcast. */
  readonly backward: readonly [
    (e: Emit, use: Application, cotangent: Value) => Value,
    (e: Emit, use: Application, cotangent: Value) => Value,
  ];
  /** May give a tangent that still broadcasts to the shape of the output. */
  readonly forward: DifferentiableRule['jvp'];
}

export function binary({ backward, forward, ...rest }: Binary): OpDefinition {
  return {
    ...pairwise(rest),
    derivative: {
      vjp: (e, use, cotangent, wanted) =>
        backward.map((rule, i) => (wanted[i] ? sumTo(e, rule(e, use, cotangent), at(use.inputs, i).shape) : undefined)),
      jvp: (e, use, tangents) => {
        const tangent = forward(e, use, tangents);
        return tangent && e.apply('expand', [tangent], { shape: use.output.shape });
      },
    },
  };
}
