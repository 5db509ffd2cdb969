import { StagewatchError } from '#runtime/errors.js';

export interface LineOptions {
  /** How many may wait behind the one whose turn it is. */
  readonly maxWaiting: number;
  /** Shorter than a probe waits for its answer. */
  readonly maxWaitMs: number;
}

const retryAfterMs = 5000;

/** One at a time, in order; whoever would wait too long is told to come back. */
export class BoundedLine {
  private taken = false;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly options: LineOptions) {}

  /** Resolves when it is the caller's turn, with the function that ends the turn. */
  async enter(): Promise<() => void> {
    if (this.taken) await this.wait();
    this.taken = true;
    return () => {
      const next = this.waiting.shift();
      if (next === undefined) this.taken = false;
      else next();
    };
  }

  private wait(): Promise<void> {
    const { maxWaiting, maxWaitMs } = this.options;
    if (this.waiting.length >= maxWaiting) return Promise.reject(busy(maxWaiting));
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        clearTimeout(patience);
        resolve();
      };
      const patience = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(begin), 1);
        reject(busy(maxWaiting));
      }, maxWaitMs);
      this.waiting.push(begin);
    });
  }
}

const busy = (maxWaiting: number): StagewatchError =>
  new StagewatchError('UNAVAILABLE', 'other models are being looked at', {
    expected: `one that is looked at and at most ${maxWaiting} that wait`,
    retryAfterMs,
  });
