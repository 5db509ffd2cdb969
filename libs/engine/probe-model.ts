import type { Block, VectorSpace } from '#math/vector-space.js';

/** Between two chunks a piece of work looks whether it is still wanted, and says how far it has come. */
export interface Work {
  /** Ends the work with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((done: number, of: number) => void) | undefined;
}

/**
 * - `hessian`: of the mean loss;
 * - `gauss-newton`: JᵀH_L J, with the Jacobian J of the prediction and the Hessian H_L of the loss by the prediction.
 *   Never negative for convex losses.
 * - `fisher`: of the distribution that the model itself predicts; for softmax with cross-entropy and for squared errors it is
 *   the Gauss-Newton matrix.
 */
export type CurvatureKind = 'hessian' | 'gauss-newton' | 'fisher';

/**
 * What instruments see of a network: its loss on a fixed probe set, and derivatives, at parameters θ given as one flat
 * vector in the order of the graph's parameters. Losses are means over examples, or over what the loss weighs them with.
 *
 * Large probe sets are worked through in chunks under a memory budget; sums over chunks are in double precision, so results
 * do not depend on the budget beyond rounding. The same executor gives the same numbers each time.
 */
export interface ProbeModel {
  readonly parameterCount: number;
  /** Names and sizes, in order; for readings by layer. */
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly offset: number;
    readonly size: number;
  }[];
  readonly examples: number;
  /** `ort-cpu`, `reference` … */
  readonly device: string;
  /** Where vectors of the length of θ live. */
  readonly space: VectorSpace;
  loss(theta: Float32Array, work?: Work): Promise<number>;
  perExampleLoss(theta: Float32Array, work?: Work): Promise<PerExampleLoss>;
  /** The model's output for each example. */
  predict(theta: Float32Array, work?: Work): Promise<Prediction>;
  gradient(theta: Float32Array, work?: Work): Promise<{ readonly loss: number; readonly gradient: Float32Array }>;
  /** The gradient of the loss of each of these examples, as one block; not divided by weights. */
  perExampleGradients(theta: Float32Array, rows: readonly number[], work?: Work): Promise<Block>;
  /** Runs the part of the Hessian-vector product that depends on θ only, and keeps it. */
  linearize(theta: Float32Array, options?: LinearizeOptions): Promise<Linearization>;
  close(): Promise<void>;
}

export interface LinearizeOptions extends Work {
  /** Of which matrix products are wanted (`hessian`). */
  readonly kind?: CurvatureKind | undefined;
}

export interface Linearization {
  readonly loss: number;
  readonly gradient: Float32Array;
  /** H·v for each v of this process. */
  multiply(vectors: readonly Float32Array[], work?: Work): Promise<readonly Float32Array[]>;
  /** H·v for each v of a block of the model's space; the caller releases both. */
  multiplyBlock(block: Block, work?: Work): Promise<Block>;
  /** Frees what was kept. */
  close(): Promise<void>;
}

export interface PerExampleLoss {
  readonly losses: Float64Array;
  /** What each example weighs; undefined where all weigh 1. The mean loss is Σ losses / Σ weights. */
  readonly weights: Float64Array | undefined;
}

export interface Prediction {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
