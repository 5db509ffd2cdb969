import { hasOwnRates, isPreconditioned } from '#math/stability-threshold.js';
import type { Instrument } from './instrument.js';

/** r = S/Θ: 1 at the edge of stability. */
export const edgeRatio: Instrument = {
  name: 'edge.ratio',
  needs: ['snapshot', 'train probe set', 'optimizer'],
  products: 0,
  measure: ({ optimizer, value }) => {
    if (isPreconditioned(optimizer.name)) {
      return {
        off: `for '${optimizer.name}' the threshold is compared with sharpness.preconditioned, which needs the optimizer's state; snapshots do not carry it in this version`,
      };
    }
    const threshold = value('sharpness.threshold');
    if (threshold === undefined) return { off: 'there is no threshold to compare with' };
    const name = hasOwnRates(optimizer) ? 'sharpness.preconditioned' : 'sharpness';
    const sharpness = value(name);
    if (sharpness === undefined) return { off: `the ${name} is off` };
    return { quantities: [{ name: 'edge.ratio', value: sharpness / threshold }] };
  },
};
