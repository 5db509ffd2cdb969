/** What the outside world answers: weather is a value, not an exception. */
export type Outcome<T> =
  | { readonly kind: 'success'; readonly value: T }
  | { readonly kind: 'failure'; readonly error: unknown }
  | { readonly kind: 'retryable'; readonly error: unknown; readonly afterMs?: number };

export interface RetryOptions {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  readonly onRetry?: (error: unknown, delayMs: number) => void;
  /** For tests. */
  readonly random?: () => number;
}

/** Exponential back-off with full jitter; never shorter than what the other side asked for. */
export function backoffMs(attempt: number, options: Pick<RetryOptions, 'firstDelayMs' | 'maxDelayMs' | 'random'>): number {
  const ceiling = Math.min(options.maxDelayMs, options.firstDelayMs * 2 ** attempt);
  return ceiling * (0.5 + 0.5 * (options.random ?? Math.random)());
}

export async function retry<T>(attempt: () => Promise<Outcome<T>>, options: RetryOptions): Promise<Outcome<T>> {
  const deadline = Date.now() + options.deadlineMs;
  for (let tries = 0; ; tries++) {
    const outcome = await attempt();
    if (outcome.kind !== 'retryable') return outcome;
    const delayMs = Math.max(outcome.afterMs ?? 0, backoffMs(tries, options));
    if (options.signal?.aborted === true || Date.now() + delayMs > deadline) return { kind: 'failure', error: outcome.error };
    options.onRetry?.(outcome.error, delayMs);
    await sleep(delayMs, options.signal);
  }
}

/** Ends early, without an error, when the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
