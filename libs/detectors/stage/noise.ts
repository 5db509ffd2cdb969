import { rules } from './rules.js';

/**
 * The noise of ln S from the last raw values: a smooth curve has small second differences, so their median absolute
 * deviation, scaled for a normal distribution (1.4826) and for the variance 6σ² of a second difference, estimates σ.
 */
export function noiseOf(raw: readonly number[]): number {
  const x = raw.slice(-rules.noiseWindow);
  if (x.length < rules.noiseLeast) return 0;
  const second = x.slice(2).map((value, i) => value - 2 * x[i + 1]! + x[i]!);
  const centre = median(second);
  return (1.4826 * median(second.map((value) => Math.abs(value - centre)))) / Math.sqrt(6);
}

/** The newest value after a median filter whose width follows the noise: none when the estimator is exact. */
export function filteredValue(raw: readonly number[], noise: number): number {
  const [three, five] = rules.filterNoise;
  const width = noise < three ? 1 : noise < five ? 3 : 5;
  return median(raw.slice(-width));
}

/** The rise of ln S that is more than noise. */
export function leastRise(noise: number): number {
  return Math.max(rules.riseLeast, rules.riseNoise * noise);
}

/** Of a non-empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
