const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** The waits between tries; after the last one a delivery has failed. Two days in all. */
export const retryDelaysMs: readonly number[] = [
  5 * second,
  30 * second,
  2 * minute,
  10 * minute,
  30 * minute,
  2 * hour,
  6 * hour,
  12 * hour,
  24 * hour,
];
const jitter = 0.1;

/** How long to wait after `tries` tries; undefined when it was the last. Never shorter than the receiver asked for. */
export function nextDelayMs(tries: number, askedMs = 0, random: () => number = Math.random): number | undefined {
  const delayMs = retryDelaysMs[tries - 1];
  return delayMs === undefined ? undefined : Math.max(askedMs, delayMs * (1 + jitter * random()));
}
