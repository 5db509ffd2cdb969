import type { Linearization, ProbeModel } from '#engine/index.js';
import type { RitzState } from '#math/ritz-tracker.js';
import type { ThresholdGroup, ThresholdOptimizer } from '#math/stability-threshold.js';

/** Measured quantities: what an instrument needs, what it costs, what it gives. */
export interface Reading {
  readonly name: string;
  readonly key: string;
  readonly value: number;
  /** Bound of the error of `value`; NaN where none is known. */
  readonly bound: number;
  /** Matrix-vector products that were spent on the solve that it comes from. */
  readonly products: number;
  readonly seconds: number;
  readonly device: string;
  readonly probeDigest: string;
}

export type Need = 'scalars' | 'snapshot' | 'train probe set' | 'val probe set' | 'optimizer';

/** Constants of the optimizer that measurements depend on. */
export interface OptimizerConstants extends ThresholdOptimizer {
  /** A coupled decay is part of the loss that is stepped; a decoupled one is not. */
  readonly weightDecay: number;
  readonly decoupledDecay: boolean;
  readonly groups?: readonly OptimizerGroup[];
}

export interface OptimizerGroup extends ThresholdGroup {
  readonly weightDecay: number;
  /** Names of its parameters; empty when they are not known. */
  readonly parameters: readonly string[];
}

/** What is kept between two measurements of a run: plain data, best vector first. */
export type TrackerState = RitzState;

/** One snapshot, linearized once for all instruments. */
export interface SnapshotContext {
  readonly model: Pick<ProbeModel, 'parameterCount' | 'parameters' | 'space'>;
  readonly point: Pick<Linearization, 'loss' | 'gradient' | 'multiplyBlock'>;
  /** As used for the update of this step. */
  readonly learningRate: number;
  readonly optimizer: OptimizerConstants;
  readonly previous: TrackerState | undefined;
  /** Vectors that a search may hold, each with its product; as many as it likes where nothing is said. */
  readonly maxBasis: number | undefined;
  /** Relative, of λ1. */
  readonly relativeTolerance: number;
  /** The value of an instrument that ran before; undefined when it is off. */
  readonly value: (name: string) => number | undefined;
}

/** A reading before it is known how long it took and where. */
export interface Quantity {
  readonly name: string;
  readonly key?: string;
  readonly value: number;
  readonly bound?: number;
  readonly products?: number;
}

/** Off with a reason, or on with what was measured. */
export type Measured =
  | { readonly off: string }
  | { readonly quantities: readonly Quantity[]; readonly state?: TrackerState | undefined };

export interface Instrument {
  /** Of its first reading. */
  readonly name: string;
  readonly needs: readonly Need[];
  /** Of which runs it is at all; of every one where nothing is said. */
  readonly isFor?: (optimizer: OptimizerConstants) => boolean;
  /** Matrix-vector products of one measurement, about. */
  readonly products: number;
  measure(context: SnapshotContext): Measured | Promise<Measured>;
}
