/** Time as the alerts see it; tests bring their own. */
export interface Clock {
  nowMs(): number;
  /** Calls once, later; the answer takes it back. */
  after(delayMs: number, then: () => void): () => void;
}

/** What a timer of Node can wait at most; longer waits look again in between. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, then) {
    const timer = setTimeout(then, Math.min(Math.max(0, delayMs), longestTimerMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
