import type { ThresholdGroup } from '#math/stability-threshold.js';
import type { FramedReadings } from './frame.js';

/** What a detector sees and says. Pure data: no clock, no random numbers, no I/O. */

/** Constants of the run that judgements depend on. */
export interface RunFacts {
  readonly loss: 'mse' | 'cross-entropy' | 'binary-cross-entropy' | 'huber' | 'smooth-l1' | 'output' | 'unknown';
  readonly optimizer: OptimizerFacts;
  /** Of which examples an update is made. What is not known is taken for a mini-batch: its numbers may be noisy. */
  readonly batch: 'full' | number | 'unknown';
  /** Of the training set, where it is known. */
  readonly trainingExamples?: number;
}

export interface OptimizerFacts {
  /** `sgd`, `adam`, `adamw`, `nadam`, `rmsprop`, or any other name, which has no threshold. */
  readonly name: string;
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly decoupledDecay: boolean;
  /** When there are several groups of parameters: each of them. */
  readonly groups?: readonly ThresholdGroup[];
}

/** What is known at one step: readings by name (key empty). To those who need what is measured, steps never decrease within an attempt. */
export interface StepReadings {
  readonly step: number;
  readonly readings: Readonly<Record<string, number>>;
}

/** What happened to the run itself, in the order of the log. */
export type RunEvent =
  | { readonly kind: 'lost'; readonly step: number; readonly silentMs: number; readonly lastHeardMs: number }
  | { readonly kind: 'returned'; readonly step: number; readonly silentMs: number }
  | { readonly kind: 'resumed'; readonly step: number; readonly attempt: number }
  | {
      readonly kind: 'gap';
      readonly step: number;
      readonly points: number;
      readonly snapshots: number;
      readonly records: number;
      readonly reason: string;
    }
  | { readonly kind: 'ended'; readonly step: number; readonly status: string; readonly message: string };

export type Severity = 'info' | 'warning' | 'critical';

export interface Finding {
  readonly step: number;
  readonly onset: number;
  readonly kind: string;
  readonly from?: string;
  readonly to?: string;
  readonly detail?: string;
  readonly provisional: boolean;
  readonly severity: Severity;
  readonly evidence: Readonly<Record<string, number | string>>;
  readonly text: string;
}

/**
 * What a detector waits for. `logged`: nothing; it is fed the numbers of a step as they come, so a step may come in parts,
 * and what was measured of it after later steps. `measured`: each step once, in order and whole, with what was measured of it.
 */
export type Needs = 'logged' | 'measured';

/** A pure state machine. `State` is plain JSON: saved with the position, restored anywhere. */
export interface Detector<State> {
  readonly name: string;
  readonly needs: Needs;
  readonly initial: (facts: RunFacts) => State;
  /** Never changes `state`; answers the next one. */
  readonly onReadings?: (state: State, input: FramedReadings, facts: RunFacts) => Step<State>;
  readonly onEvent?: (state: State, event: RunEvent, facts: RunFacts) => Step<State>;
}

export interface Step<State> {
  readonly state: State;
  readonly findings: readonly Finding[];
}
