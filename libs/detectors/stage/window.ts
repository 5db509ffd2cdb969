import { filteredValue, leastRise, noiseOf } from './noise.js';
import type { Measured } from './observation.js';
import { rules } from './rules.js';
import type { Mark, TaggerState } from './state.js';

/** What the rules ask about the newest measurement. */
export interface Look {
  readonly step: number;
  /** Filtered ln S. */
  readonly x: number;
  /** r as measured. */
  readonly ratio: number;
  readonly noise: number;
  /** A rise of x by so much is more than noise. */
  readonly rise: number;
  /** r has been at the edge in most of the last measurements. */
  readonly near: boolean;
}

/** Below this ln S is taken as of the smallest positive number: a sharpness may be zero or negative. */
const leastSharpness = 1e-300;
/** What is kept stays finite, so that it survives JSON. */
const largest = 1e300;

/** Takes a measurement into the windows. */
export function lookAt(draft: TaggerState, measured: Measured, step: number): Look {
  if (draft.measuredStep !== null) {
    const added = (draft.learningRate ?? 0) * Math.abs(measured.sharpness) * (step - draft.measuredStep);
    draft.naturalTime = Math.min(largest, draft.naturalTime + added);
  }
  draft.measuredStep = step;

  const rawX = Math.log(Math.max(measured.sharpness, leastSharpness));
  keepLast(draft.raw, rawX, rules.noiseWindow);
  const noise = noiseOf(draft.raw);
  const x = filteredValue(draft.raw, noise);
  keepLast(draft.filtered, x, rules.settleMeasurements);
  const ratio = measured.fromBatches ? measured.ratio : Math.exp(x - rawX) * measured.ratio;
  keepLast(draft.ratios, Math.min(largest, Math.max(-largest, ratio)), rules.edgeOutWindow);
  if (draft.lowest === null || draft.highest === null) resetTrend(draft, { x, step });
  return { step, x, ratio: measured.ratio, noise, rise: leastRise(noise), near: isNear(draft.ratios) };
}

export function resetTrend(draft: TaggerState, mark: Mark): void {
  draft.lowest = mark;
  draft.highest = mark;
}

function isNear(ratios: readonly number[]): boolean {
  return ratios.slice(-rules.edgeInWindow).filter((ratio) => ratio >= rules.edgeIn).length >= rules.edgeInCount;
}

function keepLast(values: number[], value: number, count: number): void {
  values.push(value);
  if (values.length > count) values.shift();
}
