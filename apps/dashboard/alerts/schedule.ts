import type { Delivery, Try } from './outbox.js';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** The waits between tries; the last one is repeated. A receiver that is back hears of it within a quarter of an hour. */
export const retryDelaysMs: readonly number[] = [5 * second, 30 * second, 2 * minute, 10 * minute, 15 * minute];
/** After that a delivery has failed, counted from the first of its findings; one try it has in any case. */
export const giveUpAfterMs = 48 * hour;
const jitter = 0.1;

/** Of a receiver that answers: these say that it is not there or has too much to do, whatever it was sent. */
const unavailable: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);
/** These say that it does not want this very body. */
const refused: ReadonlySet<number> = new Set([400, 413, 422]);
const suspectAfterTries = 3;

/** How long to wait after `tries` tries. Never shorter than the receiver asked for. */
export function nextDelayMs(tries: number, askedMs = 0, random: () => number = Math.random): number {
  const delayMs = retryDelaysMs[Math.min(tries, retryDelaysMs.length) - 1] ?? 0;
  return Math.max(askedMs, delayMs * (1 + jitter * random()));
}

/** The receiver is there and again and again takes everything but this: the others do not wait for it. */
export function isSuspect({ tries }: Pick<Delivery, 'tries'>): boolean {
  const blamed = tries.filter(({ status }) => status !== undefined && !unavailable.has(status));
  return blamed.length >= suspectAfterTries || blamed.some(({ status }) => refused.has(status!));
}

export function triesOf({ tries, earlierTries = 0 }: Pick<Delivery, 'tries' | 'earlierTries'>): number {
  return tries.length + earlierTries;
}

/** So many are kept, the first and the newest; the others are counted. */
const keptTries = 20;

export function withTry(delivery: Delivery, latest: Try): Pick<Delivery, 'tries' | 'earlierTries'> {
  const tries = [...delivery.tries, latest];
  if (tries.length <= keptTries)
    return { tries, ...(delivery.earlierTries !== undefined && { earlierTries: delivery.earlierTries }) };
  return { tries: tries.toSpliced(1, 1), earlierTries: (delivery.earlierTries ?? 0) + 1 };
}
