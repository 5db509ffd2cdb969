import type { RunFacts } from '../detector.js';
import { filteredValue, leastRise, median, noiseOf } from './noise.js';
import { rateBeside, type Measured } from './observation.js';
import { rules } from './rules.js';
import type { TaggerState } from './state.js';

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
  /** x where a fall is told from noise: its median over the last measurements when the updates are of mini-batches. */
  readonly level: number;
  /** A fall of the level by so much is more than noise. */
  readonly fall: number;
  /** So much has been measured since the windows were emptied that a trend can be told. */
  readonly isFilled: boolean;
  /** r has been at the edge in most of the last measurements. */
  readonly near: boolean;
}

/** Below this ln S is taken as of the smallest positive number: a sharpness may be zero or negative. */
const leastSharpness = 1e-300;
/** What is kept stays finite, so that it survives JSON. */
const largest = 1e300;

/** Takes a measurement into the windows. */
export function lookAt(draft: TaggerState, measured: Measured, step: number, facts: RunFacts): Look {
  if (draft.measuredStep !== null) {
    const added = (rateBeside(draft.learningRate, facts) ?? 0) * Math.abs(measured.sharpness) * (step - draft.measuredStep);
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
  const rise = leastRise(noise);
  const look: Look = {
    step,
    x,
    ratio: measured.ratio,
    noise,
    rise,
    ...(facts.batch === 'full'
      ? { level: x, fall: rules.fall }
      : { level: median(draft.filtered), fall: Math.max(rules.fall, rise) }),
    isFilled: step - draft.windowStep >= rules.earlySteps && draft.filtered.length >= rules.settleMeasurements,
    near: isNear(draft.ratios),
  };
  if (draft.lowest === null || draft.highest === null) resetTrend(draft, look);
  return look;
}

export function resetTrend(draft: TaggerState, { x, level, step }: Look): void {
  draft.lowest = { x, step };
  draft.highest = { x: level, step };
  draft.fallStep = null;
  draft.riseStep = null;
}

function isNear(ratios: readonly number[]): boolean {
  return ratios.slice(-rules.edgeInWindow).filter((ratio) => ratio >= rules.edgeIn).length >= rules.edgeInCount;
}

function keepLast(values: number[], value: number, count: number): void {
  values.push(value);
  if (values.length > count) values.shift();
}
