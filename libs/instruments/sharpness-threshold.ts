import { stabilityThreshold } from '#math/stability-threshold.js';
import type { Instrument } from './instrument.js';

/** Θ of the optimizer in use at the learning rate in use. */
export const sharpnessThreshold: Instrument = {
  name: 'sharpness.threshold',
  needs: ['optimizer'],
  products: 0,
  measure: ({ optimizer, learningRate }) => {
    const value = stabilityThreshold(optimizer, learningRate);
    if (value !== undefined) return { quantities: [{ name: 'sharpness.threshold', value, bound: 0 }] };
    if (!Number.isFinite(learningRate) || learningRate < 0) {
      return { off: `the learning rate ${learningRate} has no stability threshold` };
    }
    if ((optimizer.groups?.length ?? 0) > 1) {
      return { off: `no one stability threshold is known for the groups of '${optimizer.name}', whose constants differ` };
    }
    return { off: `no stability threshold is known for the optimizer '${optimizer.name}' with these constants` };
  },
};
