import { divergence } from './divergence.js';
import type { Detector, Finding, Needs, RunEvent, RunFacts, Step, StepReadings } from './detector.js';
import { edgeCrossed } from './edge-crossed.js';
import { runState } from './run-state.js';
import type { TaggerState } from './stage/state.js';
import { initialTaggerState } from './stage/state.js';
import { stageTagger } from './stage/stage-tagger.js';

/** One state for all detectors, by detector name: plain JSON, and its numbers survive it. */
export type JudgeState = Readonly<Record<string, unknown>>;

export interface Judge {
  initial(): JudgeState;
  /** What is known at one step, for those who need just that; for all of them when it is not said. */
  readings(state: JudgeState, input: StepReadings, needs?: Needs): Step<JudgeState>;
  event(state: JudgeState, event: RunEvent): Step<JudgeState>;
}

/** Any detector, with its state hidden: only the detector itself looks into it. */
type AnyDetector = Detector<unknown>;

function hidden<State>(detector: Detector<State>): AnyDetector {
  const { onReadings, onEvent } = detector;
  return {
    name: detector.name,
    needs: detector.needs,
    initial: (facts) => detector.initial(facts),
    ...(onReadings && { onReadings: (state, input, facts) => onReadings(state as State, input, facts) }),
    ...(onEvent && { onEvent: (state, event, facts) => onEvent(state as State, event, facts) }),
  };
}

/** Every detector, in the order in which their findings of one step are told. */
export const detectors: readonly AnyDetector[] = [hidden(runState), hidden(divergence), hidden(edgeCrossed), hidden(stageTagger)];

/** A detector that is newer than a saved state begins with its initial one. */
export function createJudge(facts: RunFacts): Judge {
  const run = (state: JudgeState, turn: (detector: AnyDetector, own: unknown) => Step<unknown> | undefined): Step<JudgeState> => {
    const next: Record<string, unknown> = { ...state };
    const findings: Finding[] = [];
    for (const detector of detectors) {
      const result = turn(detector, state[detector.name] ?? detector.initial(facts));
      if (result === undefined) continue;
      next[detector.name] = result.state;
      for (const finding of result.findings) findings.push(finding);
    }
    return { state: next, findings };
  };
  return {
    initial: () => Object.fromEntries(detectors.map((detector) => [detector.name, detector.initial(facts)])),
    readings: (state, input, needs) =>
      run(state, (detector, own) =>
        needs === undefined || detector.needs === needs ? detector.onReadings?.(own, input, facts) : undefined,
      ),
    event: (state, event) => run(state, (detector, own) => detector.onEvent?.(own, event, facts)),
  };
}

/** The tagger's part of a judge's state: the run's stage, and what the cadence is wished by. */
export function taggerStateOf(state: JudgeState): TaggerState {
  return (state[stageTagger.name] as TaggerState | undefined) ?? initialTaggerState();
}
