import { divergence } from './divergence.js';
import type { Detector, Finding, Needs, RunEvent, RunFacts, Step, StepReadings } from './detector.js';
import { fromJsonNumber } from '#math/json-number.js';
import { edgeCrossed } from './edge-crossed.js';
import { framed, type Frame } from './frame.js';
import { runState } from './run-state.js';
import type { TaggerState } from './stage/state.js';
import { initialTaggerState } from './stage/state.js';
import { stageTagger } from './stage/stage-tagger.js';

/** One state for all detectors, by detector name, and what is known by lane: plain JSON, and its numbers survive it. */
export type JudgeState = Readonly<Record<string, unknown>>;

/** What those know who wait for measurements is behind what is known at once. */
type Frames = Readonly<Partial<Record<Needs, Frame>>>;

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
    readings: (state, input, needs) => {
      const known = framesOf(state);
      const lanes = { logged: framed(known.logged ?? {}, input), measured: framed(known.measured ?? {}, input) };
      const at = { logged: factsAt(facts, lanes.logged.frame), measured: factsAt(facts, lanes.measured.frame) };
      const isFed = (lane: Needs): boolean => needs === undefined || needs === lane;
      const { state: next, findings } = run(state, (detector, own) =>
        isFed(detector.needs) ? detector.onReadings?.(own, lanes[detector.needs], at[detector.needs]) : undefined,
      );
      const frames: Frames = {
        logged: isFed('logged') ? lanes.logged.frame : (known.logged ?? {}),
        measured: isFed('measured') ? lanes.measured.frame : (known.measured ?? {}),
      };
      return { state: { ...next, [framesName]: frames }, findings };
    },
    event: (state, event) => {
      const { state: next, findings } = run(state, (detector, own) => detector.onEvent?.(own, event, facts));
      // Another process: what the one before said last holds no more.
      return { state: event.kind === 'resumed' ? { ...next, [framesName]: {} } : next, findings };
    },
  };
}

const framesName = 'frames';

/** Constants that a job may say later, as they are known at a step. */
function factsAt(facts: RunFacts, frame: Frame): RunFacts {
  const size = fromJsonNumber(frame['batch_size']?.value);
  if (size === undefined || !(size >= 1) || facts.batch === 'full') return facts;
  return { ...facts, batch: size >= (facts.trainingExamples ?? Number.POSITIVE_INFINITY) ? 'full' : size };
}

/** Of which examples an update is made, as far as the run has said. */
export function batchOf(state: JudgeState, facts: RunFacts): RunFacts['batch'] {
  return factsAt(facts, framesOf(state).logged ?? {}).batch;
}

/** What is known by lane. */
export function framesOf(state: JudgeState): Frames {
  return (state[framesName] as Frames | undefined) ?? {};
}

/** The tagger's part of a judge's state: the run's stage, and what the cadence is wished by. */
export function taggerStateOf(state: JudgeState): TaggerState {
  return (state[stageTagger.name] as TaggerState | undefined) ?? initialTaggerState();
}
