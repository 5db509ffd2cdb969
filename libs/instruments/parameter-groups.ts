import type { ProbeModel } from '#engine/index.js';
import type { OptimizerConstants, OptimizerGroup } from './instrument.js';

/**
 * One number of its group for each parameter, along the whole vector of parameters. Undefined when a parameter is in no
 * group, or nobody has said which parameters a group has.
 */
export function alongGroups(
  { parameters, parameterCount }: Pick<ProbeModel, 'parameters' | 'parameterCount'>,
  groups: readonly OptimizerGroup[],
  numberOf: (group: OptimizerGroup) => number,
): Float32Array | undefined {
  const byName = new Map(groups.flatMap((group) => group.parameters.map((name) => [name, numberOf(group)] as const)));
  const along = new Float32Array(parameterCount);
  for (const { name, offset, size } of parameters) {
    const value = byName.get(name);
    if (value === undefined) return undefined;
    along.fill(value, offset, offset + size);
  }
  return along;
}

/** Decay inside the gradient, which is a part of the loss that is stepped, of one group. */
export function coupledDecayOf(optimizer: OptimizerConstants, { weightDecay }: { readonly weightDecay: number }): number {
  return optimizer.decoupledDecay ? 0 : weightDecay;
}
