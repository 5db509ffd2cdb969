import uPlot from 'uplot';
import { formatValue } from '../format.js';

const headroom = 0.08;

const minSplitPixels = 38;

/** 0, 1, 2, 5, 10, 20 …, as many as have room on a logarithmic axis of steps. */
export function stepSplits(u: uPlot, _: number, min: number, max: number): number[] {
  const splits: number[] = [];
  let lastPixel = -Infinity;
  const candidates = [0];
  for (let decade = 1; decade <= max; decade *= 10) candidates.push(decade, 2 * decade, 5 * decade);
  for (const step of candidates) {
    if (step < min || step > max) continue;
    const pixel = u.valToPos(step, 'x');
    if (pixel - lastPixel < minSplitPixels) continue;
    splits.push(step);
    lastPixel = pixel;
  }
  return splits;
}

/** The scale fits what is in sight, with room above; a level that means something stays in sight. */
export function yRange(logarithmic: boolean, reference: number | undefined): uPlot.Scale.Range {
  return (_, dataMin, dataMax) => {
    let min = dataMin as number | null;
    let max = dataMax as number | null;
    if (reference !== undefined) {
      min = Math.min(min ?? reference, reference);
      max = Math.max(max ?? reference, reference);
    }
    if (min === null || max === null || !Number.isFinite(min) || !Number.isFinite(max)) return logarithmic ? [0.1, 10] : [0, 1];
    if (logarithmic) return uPlot.rangeLog(Math.max(min, Number.MIN_VALUE), Math.max(max, Number.MIN_VALUE), 10, false);
    const span = max - min || Math.abs(max) * 0.1 || 1;
    // Zero belongs to the picture when the values come near it.
    const low = min >= 0 && min < span * 0.35 ? 0 : min - span * headroom;
    return [low, max + span * headroom];
  };
}

export function yAxisValues(logarithmic: boolean): uPlot.Axis.DynamicValues {
  return (_, splits, __, ___, increment) =>
    splits.map((split: number | null) => {
      if (split === null) return '';
      if (logarithmic) return formatValue(split);
      const size = Math.abs(split);
      if (size !== 0 && (size >= 1e5 || Math.abs(increment) < 1e-4))
        return split.toExponential(1).replace('e+', 'e').replaceAll('-', '−');
      const decimals = Math.max(0, Math.min(6, -Math.floor(Math.log10(increment) + 1e-9)));
      return split.toFixed(decimals).replace('-', '−');
    });
}
