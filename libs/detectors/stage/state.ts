import type { StageName } from '../stages.js';

/** A value of ln S and the step at which it stood. */
export interface Mark {
  readonly x: number;
  readonly step: number;
}

/** The first measurement, when it was of the start. */
export interface EarlyStart {
  readonly sharpness: number;
  /** S/Θ. */
  readonly ratio: number;
  readonly learningRate: number | null;
}

export type LossSource = 'loss.train' | 'loss.probe';

/**
 * Everything that the stage tagger remembers of a run. Plain JSON: "not seen yet" is null, and every number is finite.
 * x stands for ln S, r for the edge ratio S/Θ.
 */
export interface TaggerState {
  stage: StageName;
  detail: string;
  /** Step of the last change of stage. */
  stageStep: number;
  /** The first loss of each source: losses are only compared within their source. */
  firstLosses: Partial<Record<LossSource, number>>;
  /** Where the run was first heard of. */
  heardStep: number | null;
  /** What was measured at the start; null when nothing was. */
  start: EarlyStart | null;
  /** Where it was looked at last. */
  learningRate: number | null;
  /** Observations in a row at which the learning rate did not change. */
  constantRates: number;
  /** Where the clock began: 0, or the last jump of the learning rate. */
  clockStep: number;
  /** Σ η·|S|·Δt since then: training time in units of the sharpest direction. */
  naturalTime: number;
  measuredStep: number | null;
  /** The last 12 values of x as measured. */
  raw: number[];
  /** The last 5 of x after the median filter. */
  filtered: number[];
  /** The last 5 of r, moved by as much as the filter moved x. */
  ratios: number[];
  lowest: Mark | null;
  highest: Mark | null;
  /** Since when the level has been below it by more than noise. */
  fallStep: number | null;
  /** Since when it has been above the lowest one by more than noise, in a decline. */
  riseStep: number | null;
  /** While sharpening: the last value that counted as a gain, and the measurements since. */
  gain: Mark | null;
  measurementsSinceGain: number;
  /** How often in a row each condition has held. */
  holds: { up: number; down: number; out: number };
  /** Losses of the first ten steps. */
  earlyLosses: Partial<Record<LossSource, readonly number[]>>;
  sharpnessRose: boolean;
  sharpnessFell: boolean;
  /** The label of the early phase: null while it may still come, empty when there is none. */
  early: string | null;
  /** Healthy losses in a row since the run diverged. */
  healthy: number;
  /** Where the windows were emptied. */
  windowStep: number;
  /** A decline that comes before any sharpening is not a late one. */
  hasSharpened: boolean;
  reachedEdge: boolean;
  /** Moving average of the batch sharpness, for mini-batch training. */
  batchSharpness: number | null;
}

export function initialTaggerState(): TaggerState {
  return {
    stage: 'unknown',
    detail: '',
    stageStep: 0,
    firstLosses: {},
    heardStep: null,
    start: null,
    learningRate: null,
    constantRates: 0,
    clockStep: 0,
    naturalTime: 0,
    measuredStep: null,
    raw: [],
    filtered: [],
    ratios: [],
    lowest: null,
    highest: null,
    fallStep: null,
    riseStep: null,
    gain: null,
    measurementsSinceGain: 0,
    holds: { up: 0, down: 0, out: 0 },
    earlyLosses: {},
    sharpnessRose: false,
    sharpnessFell: false,
    early: null,
    healthy: 0,
    windowStep: 0,
    hasSharpened: false,
    reachedEdge: false,
    batchSharpness: null,
  };
}

/** A copy that may be changed without touching the original; marks are never changed in place. What an older state lacks is at its start. */
export function copyTaggerState(state: TaggerState): TaggerState {
  return {
    ...initialTaggerState(),
    ...state,
    firstLosses: { ...state.firstLosses },
    earlyLosses: { ...state.earlyLosses },
    raw: [...state.raw],
    filtered: [...state.filtered],
    ratios: [...state.ratios],
    holds: { ...state.holds },
  };
}

/** A change of stage, as the rules decided it. */
export interface Move {
  readonly from: StageName;
  readonly to: StageName;
  readonly detail: string;
  /** Where the new stage began, looking back. */
  readonly onset: number;
}

/** Changes the stage; the counters of the old one say nothing about the new one. Undefined when nothing changes. */
export function moveTo(draft: TaggerState, to: StageName, detail: string, step: number, onset = step): Move | undefined {
  if (to === draft.stage && detail === draft.detail) return undefined;
  const move: Move = { from: draft.stage, to, detail, onset };
  draft.stage = to;
  draft.detail = detail;
  draft.stageStep = step;
  draft.holds = { up: 0, down: 0, out: 0 };
  return move;
}
