import type { ControlBody } from '#bus/messages.js';
import { rules } from '#detectors/stage/rules.js';
import type { CadenceWish } from '#detectors/cadence.js';

/** What a probe was asked for last: a wish that reaches it too late has ended, and one that goes on is said again in time. */
export interface StandingWish extends CadenceWish {
  readonly fromStep: number;
  readonly untilStep: number;
  /** By the log's clock. */
  readonly sinceMs: number;
}

const lastsMs = 10 * 60_000;
/** Beyond the step at which it is said, and as much again as the run has come. */
const leastSteps = 100;

/** The wish as it is to be said now; undefined while what was said before still does. */
export function newWish(
  standing: StandingWish | null,
  wish: CadenceWish,
  step: number,
  timeMs: number,
): StandingWish | undefined {
  const isSame = standing?.everySteps === wish.everySteps && standing.factor === wish.factor;
  if (isSame && !isFading(standing, step, timeMs)) return undefined;
  const isEveryStep = wish.everySteps === 1 && wish.factor === 1;
  const steps = isEveryStep ? rules.earlySteps : step + leastSteps;
  return { ...wish, fromStep: step, untilStep: step + steps, sinceMs: timeMs };
}

function isFading({ fromStep, untilStep, sinceMs }: StandingWish, step: number, timeMs: number): boolean {
  return !(step < (fromStep + untilStep) / 2 && timeMs < sinceMs + lastsMs / 2);
}

export function wishBody({ everySteps, factor, untilStep }: StandingWish, fromStep: number): ControlBody {
  return { kind: 'cadence', fromStep, everySteps, factor, untilStep, forMs: lastsMs };
}
