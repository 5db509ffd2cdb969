import { setMaxListeners } from 'node:events';

export interface StopSignal {
  readonly signal: AbortSignal;
  /** The time is over; false when one of the sources was aborted before. */
  readonly isLate: boolean;
  /** Whoever made it ends it: neither timer nor sources hold it any longer. */
  end(): void;
}

/**
 * Aborted as soon as one of `sources` is, or after `afterMs`. It takes the place of `AbortSignal.any` and
 * `AbortSignal.timeout`: Node 20 holds what these make only weakly, and after a garbage collection a limit of time may never
 * come. Here timer and listeners are held until `end`.
 */
export function stopSignal(sources: readonly (AbortSignal | undefined)[], afterMs?: number): StopSignal {
  const controller = new AbortController();
  const given = sources.filter((source) => source !== undefined);
  let isLate = false;
  const expire = (): void => {
    isLate = !controller.signal.aborted;
    controller.abort(new Error(`not done within ${afterMs} ms`));
  };
  const timer = afterMs === undefined ? undefined : setTimeout(expire, afterMs).unref();
  const listeners = given.map((source) => {
    const stop = (): void => controller.abort(source.reason);
    if (source.aborted) stop();
    // One that ends a whole service has as many listeners as there is work.
    setMaxListeners(0, source);
    source.addEventListener('abort', stop, { once: true });
    return [source, stop] as const;
  });
  return {
    signal: controller.signal,
    get isLate() {
      return isLate;
    },
    end() {
      clearTimeout(timer);
      for (const [source, stop] of listeners) source.removeEventListener('abort', stop);
    },
  };
}
