import type { Instrument } from './instrument.js';

/** L(θ), the mean loss over the train probe set. */
export const lossProbe: Instrument = {
  name: 'loss.probe',
  needs: ['snapshot', 'train probe set'],
  products: 0,
  measure: ({ point }) => ({ quantities: [{ name: 'loss.probe', value: point.loss }] }),
};
