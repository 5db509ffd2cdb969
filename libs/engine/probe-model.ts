/**
 * What instruments see of a network: its loss on a fixed probe set, and derivatives, at parameters θ given as one flat
 * vector in the order of the graph's parameters. Losses are means over examples.
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
  loss(theta: Float32Array): Promise<number>;
  gradient(theta: Float32Array): Promise<{ readonly loss: number; readonly gradient: Float32Array }>;
  /** Runs the part of the Hessian-vector product that depends on θ only, and keeps it. */
  linearize(theta: Float32Array): Promise<Linearization>;
  close(): Promise<void>;
}

export interface Linearization {
  readonly loss: number;
  readonly gradient: Float32Array;
  /** H·v for each v. */
  multiply(vectors: readonly Float32Array[]): Promise<readonly Float32Array[]>;
  /** Frees what was kept. */
  close(): Promise<void>;
}
