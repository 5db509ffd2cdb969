import type { Clock } from '../clock.js';

/** Time that stands still until somebody moves it. */
export class ManualClock implements Clock {
  private readonly timers = new Set<{ readonly atMs: number; readonly call: () => void }>();

  constructor(private timeMs: number = Date.now()) {}

  nowMs(): number {
    return this.timeMs;
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { atMs: this.timeMs + delayMs, call };
    this.timers.add(timer);
    if (delayMs <= 0) setImmediate(() => this.advance(0));
    return () => this.timers.delete(timer);
  }

  advance(ms: number): void {
    this.timeMs += ms;
    for (const timer of this.timers) {
      if (timer.atMs <= this.timeMs && this.timers.delete(timer)) timer.call();
    }
  }
}
