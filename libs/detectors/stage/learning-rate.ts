import { rules } from './rules.js';
import type { Move, TaggerState } from './state.js';
import { moveTo } from './state.js';

/**
 * Follows the learning rate. A jump after a constant stretch is an event: trend, windows and clock begin anew. Smooth
 * schedules and warm-up are none, because r uses the current rate already.
 */
export function followLearningRate(draft: TaggerState, rate: number | undefined, step: number): Move | undefined {
  const previous = draft.learningRate;
  if (rate === undefined || previous === null) {
    draft.constantRates = 0;
    if (rate !== undefined) draft.learningRate = rate;
    return undefined;
  }
  const change = rate === previous ? 0 : Math.abs(Math.log(rate / previous));
  const jumped = change > rules.rateJump && draft.constantRates >= rules.rateHold;
  draft.constantRates = change < rules.rateConstant ? draft.constantRates + 1 : 0;
  draft.learningRate = rate;
  if (!jumped) return undefined;
  restartClock(draft, step);
  if (draft.stage === 'unknown') return undefined;
  return rate > previous ? moveTo(draft, 'transient', 'lr_increase', step) : moveTo(draft, 'saturation', 'lr_decrease', step);
}

/** What was measured before says nothing about what comes now. */
export function restartClock(draft: TaggerState, step: number): void {
  draft.clockStep = step;
  draft.naturalTime = 0;
  forgetWindows(draft, step);
}

/** The trend goes with them: what was measured before is not compared with what comes. */
export function forgetWindows(draft: TaggerState, step: number): void {
  draft.windowStep = step;
  draft.lowest = null;
  draft.highest = null;
  draft.fallStep = null;
  draft.riseStep = null;
  draft.raw = [];
  draft.filtered = [];
  draft.ratios = [];
}
