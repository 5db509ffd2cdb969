/**
 * Notices when this process itself stood still: stopped by a signal, starved, or busy with one thing. A timer that comes late
 * says so, by the monotonic clock; while a computer sleeps that one does not run, and silence is not counted by it either.
 */
export class StallWatch {
  private timer: NodeJS.Timeout | undefined;
  private beatMs: number;
  private endedMs = -Infinity;

  constructor(
    private readonly options: {
      readonly intervalMs: number;
      /** A beat that comes so late was a stall; less is the ordinary unrest of timers. */
      readonly lateMs: number;
      readonly now: () => number;
      readonly stalled: (ms: number) => void;
    },
  ) {
    this.beatMs = options.now();
  }

  start(): void {
    this.beatMs = this.options.now();
    this.timer ??= setInterval(() => this.beat(), this.options.intervalMs).unref();
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** When the last stall ended. It looks for itself too: whoever asks may be the first to run after one. */
  lastEndMs(): number {
    if (this.timer !== undefined) this.beat();
    return this.endedMs;
  }

  private beat(): void {
    const { intervalMs, lateMs, now, stalled } = this.options;
    const nowMs = now();
    const late = nowMs - this.beatMs - intervalMs;
    this.beatMs = nowMs;
    if (late < lateMs) return;
    this.endedMs = nowMs;
    stalled(late);
  }
}
