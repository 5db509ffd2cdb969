import type { PendingStep } from './pending-steps.js';

/** The first steps of a training are looked at one by one, whatever waits. */
const earlySteps = 16;

/**
 * At most `count` steps where that can be had without losing anything that decides a stage: of a stretch in which only
 * ordinary losses were logged at one learning rate, every second step goes, again and again. Steps with a snapshot, with
 * a loss that is not a number or higher than those beside it, or at which the learning rate changes always stay, and so do the
 * first and the last.
 */
export function thinned(steps: readonly PendingStep[], count: number): readonly PendingStep[] {
  let kept = steps;
  while (kept.length > count) {
    const fewer = withoutEverySecond(kept);
    if (fewer.length === kept.length) return kept;
    kept = fewer;
  }
  return kept;
}

function withoutEverySecond(steps: readonly PendingStep[]): readonly PendingStep[] {
  const kept: PendingStep[] = [];
  let leftOut = true;
  for (const [i, step] of steps.entries()) {
    const before = kept.at(-1);
    const after = steps[i + 1];
    leftOut = !leftOut && before !== undefined && after !== undefined && saysNothingNew(step, before, after);
    if (!leftOut) kept.push(step);
  }
  return kept;
}

function saysNothingNew(step: PendingStep, before: PendingStep, after: PendingStep): boolean {
  if (step.taken || step.step <= earlySteps || typeof step.logged['loss.train'] !== 'number') return false;
  if (step.logged['loss.train'] > Math.max(lossOf(before), lossOf(after))) return false;
  if ('sharpness' in step.logged || 'sharpness.preconditioned' in step.logged) return false;
  // A job may say its rate only when it changes: where none is said the one before holds.
  const rate = rateOf(step);
  return rate === undefined || (rate === rateOf(before) && rate === rateOf(after));
}

function rateOf({ logged, measured }: PendingStep): unknown {
  return measured['lr'] ?? logged['lr'];
}

function lossOf({ logged }: PendingStep): number {
  const loss = logged['loss.train'];
  return typeof loss === 'number' ? loss : Number.NEGATIVE_INFINITY;
}
