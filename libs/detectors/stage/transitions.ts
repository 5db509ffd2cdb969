import type { RunFacts } from '../detector.js';
import { median } from './noise.js';
import { rules } from './rules.js';
import { moveTo, type Move, type TaggerState } from './state.js';
import { resetTrend, type Look } from './window.js';
import { largest, smallest } from '#math/extremes.js';

/** The rule of the stage that the run is in decides whether it leaves it. */
export function nextMove(draft: TaggerState, look: Look, loss: LossNow, facts: RunFacts): Move | undefined {
  if (draft.stage === 'transient') return leaveTransient(draft, look, loss);
  followTrend(draft, look);
  if (!look.isFilled && !look.near) return undefined;
  if (draft.stage === 'saturation' || draft.stage === 'late_decline') return leaveSaturation(draft, look, facts);
  if (draft.stage === 'sharpening') return leaveSharpening(draft, look, facts);
  return draft.stage === 'edge' ? leaveEdge(draft, look, facts) : undefined;
}

export interface LossNow {
  readonly value: number;
  readonly first: number;
}

/** A transient is over when the sharpness has settled, rises steadily, or enough natural time has passed. */
function leaveTransient(draft: TaggerState, look: Look, loss: LossNow): Move | undefined {
  const elapsed = look.step - draft.clockStep;
  const window = draft.filtered;
  if (elapsed < rules.earlySteps || window.length < rules.settleMeasurements) return undefined;
  const rising = isRising(window, look);
  const capped = draft.naturalTime >= rules.capNaturalTime && elapsed >= rules.capSteps;
  if (!isSettled(window, look, loss) && !rising && !capped) return undefined;
  resetTrend(draft, look);
  if (look.near) return reachEdge(draft, look);
  draft.hasSharpened ||= rising;
  return rising ? moveTo(draft, 'sharpening', '', look.step) : moveTo(draft, 'saturation', 'intermediate', look.step);
}

function isSettled(window: readonly number[], look: Look, loss: LossNow): boolean {
  const range = largest(window) - smallest(window);
  return range <= Math.max(rules.settleRange, rules.settleNoise * look.noise) && loss.value <= loss.first * 1.0001;
}

function isRising(window: readonly number[], look: Look): boolean {
  const steady = window.slice(1).every((x, i) => x >= window[i]! - rules.risingSlack);
  return steady && window.at(-1)! - window[0]! >= look.rise && look.ratio < rules.edgeIn;
}

function leaveSaturation(draft: TaggerState, look: Look, facts: RunFacts): Move | undefined {
  if (look.near) {
    resetTrend(draft, look);
    return reachEdge(draft, look);
  }
  const saturated = draft.stage === 'saturation';
  if (saturated ? held(draft, 'up', look.x - draft.lowest!.x >= look.rise, rules.confirmations) : hasRisen(draft, look, facts)) {
    const onset = draft.lowest!.step;
    draft.highest = { x: look.level, step: look.step };
    draft.gain = mark(look);
    draft.hasSharpened = true;
    return moveTo(draft, 'sharpening', '', look.step, onset);
  }
  if (!saturated || draft.detail === 'lr_decrease') return undefined;
  if (!hasFallen(draft, look, facts)) return undefined;
  const isLate = draft.reachedEdge || (draft.hasSharpened && declinesLate(facts));
  draft.lowest = { x: isLate ? look.level : look.x, step: look.step };
  if (isLate) return moveTo(draft, 'late_decline', '', look.step);
  // A slow reduction is still saturation; the next fall is counted from here.
  draft.highest = { ...draft.highest!, x: look.level };
  draft.fallStep = null;
  return undefined;
}

function leaveSharpening(draft: TaggerState, look: Look, facts: RunFacts): Move | undefined {
  draft.gain ??= mark(look);
  if (look.x > draft.gain.x + rules.stallGain) {
    draft.gain = mark(look);
    draft.measurementsSinceGain = 0;
  } else {
    draft.measurementsSinceGain++;
  }
  if (look.near) {
    resetTrend(draft, look);
    draft.gain = null;
    return reachEdge(draft, look);
  }
  if (hasFallen(draft, look, facts)) {
    resetTrend(draft, look);
    draft.gain = null;
    return declinesLate(facts)
      ? moveTo(draft, 'late_decline', '', look.step)
      : moveTo(draft, 'saturation', 'reduction', look.step);
  }
  const stalledSteps = look.step - draft.gain.step;
  // A fall that has not lasted long enough yet is no plateau.
  if (facts.batch !== 'full' && draft.fallStep !== null) return undefined;
  if (draft.measurementsSinceGain < rules.stallMeasurements) return undefined;
  if (stalledSteps < rules.stallFraction * (look.step - draft.clockStep)) return undefined;
  resetTrend(draft, look);
  draft.gain = null;
  return moveTo(draft, 'saturation', 'late_plateau', look.step);
}

function leaveEdge(draft: TaggerState, look: Look, facts: RunFacts): Move | undefined {
  const away = draft.ratios.length >= rules.edgeOutLeast && median(draft.ratios) < rules.edgeOut;
  if (!held(draft, 'out', away, rules.edgeOutCount)) return undefined;
  resetTrend(draft, look);
  return moveTo(draft, declinesLate(facts) ? 'late_decline' : 'saturation', 'post_eos', look.step);
}

function reachEdge(draft: TaggerState, look: Look): Move | undefined {
  draft.reachedEdge = true;
  return moveTo(draft, 'edge', 'at_edge', look.step);
}

function followTrend(draft: TaggerState, look: Look): void {
  const low = draft.stage === 'late_decline' ? look.level : look.x;
  if (draft.lowest === null || low < draft.lowest.x) draft.lowest = { x: low, step: look.step };
  if (draft.highest === null || look.level > draft.highest.x) draft.highest = { x: look.level, step: look.step };
}

function hasFallen(draft: TaggerState, look: Look, facts: RunFacts): boolean {
  const isLow = draft.highest!.x - look.level >= look.fall;
  draft.fallStep = isLow ? (draft.fallStep ?? look.step) : null;
  return held(draft, 'down', isLow, rules.confirmations) && hasLasted(draft, draft.fallStep, look, facts);
}

/** Out of a decline. */
function hasRisen(draft: TaggerState, look: Look, facts: RunFacts): boolean {
  const isHigh = look.level - draft.lowest!.x >= 2 * look.rise;
  draft.riseStep = isHigh ? (draft.riseStep ?? look.step) : null;
  return held(draft, 'up', isHigh, rules.confirmations) && hasLasted(draft, draft.riseStep, look, facts);
}

/** With mini-batches the sharpness swings from epoch to epoch: what lasts for a part of the training is no swing. */
function hasLasted({ clockStep }: TaggerState, since: number | null, { step }: Look, { batch }: RunFacts): boolean {
  return batch === 'full' || (since !== null && step - since >= rules.swingShare * (step - clockStep));
}

/** The curvature of a cross-entropy fades as the examples are fitted. */
function declinesLate({ loss }: RunFacts): boolean {
  return loss === 'cross-entropy' || loss === 'binary-cross-entropy';
}

function held(draft: TaggerState, key: keyof TaggerState['holds'], condition: boolean, count: number): boolean {
  draft.holds[key] = condition ? draft.holds[key] + 1 : 0;
  return draft.holds[key] >= count;
}

function mark(look: Look): { x: number; step: number } {
  return { x: look.x, step: look.step };
}
