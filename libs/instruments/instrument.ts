/** Measured quantities: what an instrument needs, what it costs, what it gives. */
export interface Reading {
  readonly name: string;
  readonly key: string;
  readonly value: number;
  /** Bound of the error of `value`; NaN where none is known. */
  readonly bound: number;
  /** Matrix-vector products that were spent. */
  readonly products: number;
  readonly seconds: number;
  readonly device: string;
  readonly probeDigest: string;
}

export type Need = 'scalars' | 'snapshot' | 'train probe set' | 'val probe set' | 'optimizer';
