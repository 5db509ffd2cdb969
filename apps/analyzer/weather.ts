import { StorageFull } from '#blobs/blobs.js';
import { BusFull } from '#bus/bus.js';
import { StagewatchError } from '#runtime/errors.js';
import type { Logger } from '#runtime/logging.js';
import { backoffMs, sleep } from '#runtime/retry.js';

/** True for what passes by itself: a full disk, a busy or restarting server. Trying again later is right then. */
export function isWeather(error: unknown): boolean {
  if (error instanceof BusFull || error instanceof StorageFull) return true;
  return error instanceof StagewatchError && (error.code === 'STORAGE_FULL' || error.code === 'UNAVAILABLE');
}

export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** Nothing may be written or committed after the lease is lost or the service closes. */
export function stopIfAborted(signal: AbortSignal, what: string): void {
  if (signal.aborted) throw new Stopped(what);
}

/**
 * Tries until it succeeds, however long the weather lasts: what was acknowledged is never given up. Throws
 * {@link Stopped} when the signal is aborted, and whatever is not weather.
 */
export async function outlast<T>(what: string, attempt: () => Promise<T>, signal: AbortSignal, logger: Logger): Promise<T> {
  for (let tries = 0; ; tries++) {
    stopIfAborted(signal, what);
    try {
      return await attempt();
    } catch (error) {
      if (!isWeather(error)) throw error;
      const delayMs = backoffMs(tries, { firstDelayMs: 200, maxDelayMs: 10_000 });
      logger.warn({ err: error, what, delayMs: Math.round(delayMs) }, 'cannot write now, trying again');
      await sleep(delayMs, signal);
    }
  }
}
