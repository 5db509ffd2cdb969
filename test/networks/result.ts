/** What `make.py` says of a network and an exporter. */
export interface About {
  readonly name: string;
  readonly exporter: 'tracing' | 'dynamo';
  /** Parameters in all. */
  readonly count: number;
  readonly loss: number;
  /** How the Hessian product was made. */
  readonly how: string;
  readonly batchNorm: boolean;
  readonly parameters: readonly string[];
  readonly aliases: Readonly<Record<string, string>>;
  readonly unused: Readonly<Record<string, readonly number[]>>;
  /** The relative error of PyTorch's own gradient in single precision. */
  readonly rounding: number;
  readonly failure: string | null;
}

/** Relative errors, or what went wrong. */
export interface Result {
  readonly about: About;
  readonly problem?: string;
  readonly preparedMs?: number;
  readonly loss?: number;
  readonly gradient?: number;
  readonly product?: number;
  /** Of the reference executor, where single precision is apart from PyTorch: rounding, or another function? */
  readonly exact?: { readonly gradient: number; readonly product: number };
}

/** In double precision throughout there is nothing to excuse. */
export const agreesExactly = ({ exact }: Result): boolean => exact !== undefined && exact.gradient < 1e-6 && exact.product < 1e-6;

/** Single precision through a deep network: a few times what PyTorch itself loses, and never less than this. */
export function agrees({ about, loss, gradient, product }: Result): boolean {
  const within = (error: number | undefined, floor: number, times: number): boolean =>
    error !== undefined && error <= Math.max(floor, times * about.rounding);
  return within(loss, 1e-5, 0) && within(gradient, 1e-4, 10) && within(product, 1e-3, 100);
}
