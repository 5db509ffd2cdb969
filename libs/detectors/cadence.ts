import { rules } from './stage/rules.js';
import type { TaggerState } from './stage/state.js';

/** The next snapshot comes when the step has grown by `factor`, and by `everySteps` at least. */
export interface CadenceWish {
  readonly everySteps: number;
  readonly factor: number;
}

/** Twice as dense as the loosest schedule that the tagger's rules were tried with (a factor of 1.1). */
const usual: CadenceWish = { everySteps: 1, factor: 1.05 };
/** Never more than every fifth step, and still close enough to see the sharpness swing about its threshold. */
const settled: CadenceWish = { everySteps: 5, factor: 1.03 };
const dense: CadenceWish = { everySteps: 1, factor: 1.02 };
const everyStep: CadenceWish = { everySteps: 1, factor: 1 };

/**
 * How often the tagger would like to measure: every step for the ten after the start and after a jump of the learning
 * rate, densely where a stage is about to change or is judged anew, more sparsely where it has settled. Undefined while it knows nothing.
 */
export function wishCadence(state: TaggerState, step: number): CadenceWish | undefined {
  const isJudgedAnew = state.stage === 'unknown' && state.detail === 'recovered';
  if (state.stage === 'unknown' && !isJudgedAnew) return undefined;
  if (state.stage === 'diverged') return { everySteps: 100, factor: 1.1 };
  if (step - state.clockStep < rules.earlySteps) return everyStep;
  if (state.stage === 'transient' || isJudgedAnew || isAboutToChange(state)) return dense;
  return state.stage === 'edge' || state.stage === 'late_decline' ? settled : usual;
}

function isAboutToChange(state: TaggerState): boolean {
  const { up, down, out } = state.holds;
  if (up > 0 || down > 0 || out > 0) return true;
  const r = state.ratios.at(-1) ?? 0;
  return state.stage === 'edge' ? r < rules.edgeOut * 1.1 : r >= rules.edgeIn * 0.85;
}
