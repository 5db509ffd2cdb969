/** What `make.py` says of a network and an exporter. */
export interface About {
  readonly name: string;
  readonly exporter: 'tracing' | 'dynamo';
  /** Parameters in all. */
  readonly count: number;
  readonly examples: number;
  readonly loss: number;
  /** How the Hessian product was made. */
  readonly how: 'double backward' | 'central differences';
  readonly parameters: readonly string[];
  readonly aliases: Readonly<Record<string, string>>;
  readonly unused: Readonly<Record<string, readonly number[]>>;
  /** PyTorch in single precision against PyTorch in double precision; no product where that has no second derivative. */
  readonly rounding: { readonly gradient: number; readonly product: number | null };
  readonly failure: string | null;
}

/** A network of the zoo that `make.py` has no numbers of. */
export interface LeftOut {
  readonly name: string;
  readonly why: string;
}

/** Relative errors: |a − b| / |b| of the loss, ‖a − b‖ / ‖b‖ of vectors. */
export interface Errors {
  readonly loss: number;
  readonly gradient: number;
  readonly product: number;
}

/** Errors against PyTorch in double precision, or what went wrong. */
export interface Result {
  readonly about: About;
  readonly problem?: string;
  /** Seconds after which the comparison was given up. */
  readonly gaveUpAfter?: number;
  /** ONNX Runtime, in single precision. */
  readonly single?: Errors;
  /** The same with convolutions as they are, where `single` is too far off. */
  readonly plain?: Errors;
  /** The reference executor, in double precision, where `single` is too far off: rounding, or another function? */
  readonly exact?: Errors;
}

/** Nothing is excused by how badly a network is conditioned. */
export const singleLimits: Errors = { loss: 1e-5, gradient: 1e-4, product: 1e-3 };
export const doubleLimits: Errors = { loss: 1e-6, gradient: 1e-6, product: 1e-6 };

export const within = (errors: Errors | undefined, limits: Errors): boolean =>
  errors !== undefined && errors.loss <= limits.loss && errors.gradient <= limits.gradient && errors.product <= limits.product;

/** `undecided`: too far off in single precision, and too slow in double precision. */
export type Verdict = 'single' | 'double' | 'undecided' | 'differs' | 'refused' | 'too slow' | 'not exported';

export function verdictOf({ about, problem, single, exact }: Result): Verdict {
  if (about.failure !== null) return 'not exported';
  if (problem !== undefined) return 'refused';
  if (single === undefined) return 'too slow';
  if (within(single, singleLimits)) return 'single';
  if (exact === undefined) return 'undecided';
  return within(exact, doubleLimits) ? 'double' : 'differs';
}

/** The worst of what was compared; what no exporter can write, or what took too long, counts only where there is nothing else. */
export function verdictOfNetwork(results: readonly Result[]): Verdict {
  const found = results.map(verdictOf);
  const order = ['refused', 'differs', 'undecided', 'double', 'single', 'too slow'] as const;
  const worst = order.find((verdict) => found.includes(verdict));
  return worst ?? 'not exported';
}
