import { norm } from '#math/vectors.js';
import type { Instrument } from './instrument.js';

/** ‖∇L(θ)‖ on the train probe set, without weight decay. */
export const gradientNorm: Instrument = {
  name: 'gradient.norm',
  needs: ['snapshot', 'train probe set'],
  products: 0,
  measure: ({ point }) => ({ quantities: [{ name: 'gradient.norm', value: norm(point.gradient) }] }),
};
