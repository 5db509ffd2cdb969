import type { Detector, Finding, RunEvent, RunFacts, Step } from '../detector.js';
import type { FramedReadings } from '../frame.js';
import { divergentLabel, earlyLabel, earlyPhaseFinding, noteEarlyLosses, noteEarlySharpness } from './early-phase.js';
import { followLearningRate, forgetWindows, restartClock } from './learning-rate.js';
import { observe, type Measured, type Observation } from './observation.js';
import { rules } from './rules.js';
import { copyTaggerState, initialTaggerState, moveTo, type Move, type TaggerState } from './state.js';
import { stageFinding } from './stage-finding.js';
import { nextMove, type LossNow } from './transitions.js';
import { lookAt } from './window.js';

/**
 * The stage tagger: says online, without looking ahead, whether a run is in its transient, saturated, sharpening, at
 * the edge of stability, in late decline, or has diverged. It follows x = ln S, with S the sharpness that belongs to the
 * optimizer, and r = S/Θ. Stages and progressive sharpening: Cohen et al. 2021, "Gradient descent on neural networks
 * typically occurs at the edge of stability"; the four regimes: Kalra and Barkeshli 2023.
 */
export const stageTagger: Detector<TaggerState> = {
  name: 'stage',
  needs: 'measured',
  initial: initialTaggerState,
  onReadings,
  onEvent,
};

function onReadings(state: TaggerState, input: FramedReadings, facts: RunFacts): Step<TaggerState> {
  const draft = copyTaggerState(state);
  const observation = observe(draft, input, facts);
  if (observation === undefined) return { state, findings: [] };
  const moves = advance(draft, input, observation, facts);
  const findings = moves.map((move) => stageFinding(move, draft, input, observation, facts));
  if (draft.early !== state.early && draft.early !== '') findings.push(earlyPhaseFinding(draft, input.step));
  return { state: draft, findings };
}

/** One observation: divergence, then the learning rate, then the measurement. */
function advance(
  draft: TaggerState,
  input: FramedReadings,
  { loss, learningRate, measured }: Observation,
  facts: RunFacts,
): Move[] {
  const { step } = input;
  const first = Number.isFinite(loss.value) ? (draft.firstLosses[loss.source] ??= loss.value) : draft.firstLosses[loss.source];
  noteEarlyLosses(draft, input);
  const level = Math.max(1, first ?? 1);
  if (!Number.isFinite(loss.value) || loss.value > rules.divergedFactor * level) return loss.isNew ? diverge(draft, step) : [];
  if (draft.stage === 'diverged') return loss.isNew ? recover(draft, loss.value <= rules.healthyFactor * level, step) : [];

  const moves = [followLearningRate(draft, learningRate, step)];
  const measuredMoves =
    measured === undefined ? [] : measurement(draft, measured, input, { value: loss.value, first: first ?? loss.value }, facts);
  return [...moves, ...measuredMoves].filter((move) => move !== undefined);
}

function measurement(
  draft: TaggerState,
  measured: Measured,
  input: FramedReadings,
  loss: LossNow,
  facts: RunFacts,
): (Move | undefined)[] {
  const { step } = input;
  // The first complete observation; training itself began at step 0.
  const began = draft.stage === 'unknown' ? moveTo(draft, 'transient', '', step, draft.clockStep) : undefined;
  noteEarlySharpness(draft, measured, input, facts);
  const wasTransient = draft.stage === 'transient';
  const move = nextMove(draft, lookAt(draft, measured, step, facts), loss, facts);
  if (wasTransient && move !== undefined) draft.early ??= earlyLabel(draft, facts);
  return [began, move];
}

function diverge(draft: TaggerState, step: number): Move[] {
  draft.healthy = 0;
  draft.early ??= divergentLabel(draft, step);
  const move = moveTo(draft, 'diverged', '', step);
  return move === undefined ? [] : [move];
}

/** After enough healthy losses in a row the episode is over: the stage is judged anew, from what is measured then. */
function recover(draft: TaggerState, isHealthy: boolean, step: number): Move[] {
  draft.healthy = isHealthy ? draft.healthy + 1 : 0;
  if (draft.healthy < rules.healthyCount) return [];
  draft.healthy = 0;
  restartClock(draft, step);
  draft.measuredStep = null;
  draft.gain = null;
  draft.measurementsSinceGain = 0;
  const move = moveTo(draft, 'unknown', 'recovered', step);
  return move === undefined ? [] : [move];
}

/**
 * A job that takes up where the last stage began or later stays in that stage, with empty windows; one that goes back
 * further is a transient again, and one that goes back to the start is a new training.
 */
function onEvent(state: TaggerState, event: RunEvent): Step<TaggerState> {
  if (event.kind !== 'resumed') return { state, findings: [] };
  const draft = copyTaggerState(state);
  draft.measuredStep = null;
  draft.constantRates = 0;
  const newTraining = event.step <= 0;
  const again = newTraining || state.stage === 'diverged' || event.step < state.stageStep;
  if (!again) {
    forgetWindows(draft, event.step);
    draft.holds = { up: 0, down: 0, out: 0 };
    return { state: draft, findings: [] };
  }
  const next = newTraining ? initialTaggerState() : draft;
  next.stage = state.stage;
  next.detail = state.detail;
  restartClock(next, event.step);
  next.gain = null;
  next.measurementsSinceGain = 0;
  const move = state.stage === 'unknown' ? undefined : moveTo(next, 'transient', 'resumed', event.step);
  return { state: next, findings: move === undefined ? [] : [resumedFinding(move, event)] };
}

function resumedFinding(move: Move, event: RunEvent & { kind: 'resumed' }): Finding {
  return {
    step: event.step,
    onset: event.step,
    kind: 'stage',
    from: move.from,
    to: move.to,
    detail: move.detail,
    provisional: false,
    severity: 'info',
    evidence: { attempt: event.attempt },
    text: `step ${event.step}: attempt ${event.attempt} began before the ${move.from} stage did, so its stage is judged anew`,
  };
}
