import { StagewatchError } from '#runtime/errors.js';

/** Who is not served by then would have given up anyway. */
const maxWaitMs = 30_000;
const askAgainMs = 2000;

/**
 * The line before the engine: so many foreign queries run at a time, so many wait, and none waits for ever. Who cannot be
 * served hears when to come back.
 */
export class ConnectionPool {
  private free: number;
  private readonly line: { readonly take: () => void; readonly leave: (error: unknown) => void }[] = [];
  private lent = 0;
  private idle: (() => void) | undefined;

  constructor(
    connections: number,
    private readonly maxWaiting: number,
    private readonly patienceMs: number = maxWaitMs,
  ) {
    this.free = connections;
  }

  /** Answers what gives the place back. */
  async lease(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.free > 0) {
      this.free--;
      return this.lend();
    }
    if (this.line.length >= this.maxWaiting) throw tooMany(this.maxWaiting);
    return await new Promise((resolve, reject) => {
      const late = (): void =>
        place.leave(busy(`The query waited for ${this.patienceMs / 1000} s and others are still before it`));
      const timer = setTimeout(late, this.patienceMs);
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      };
      const place = {
        take: () => {
          end();
          resolve(this.lend());
        },
        leave: (error: unknown) => {
          end();
          this.line.splice(this.line.indexOf(place), 1);
          reject(error);
        },
      };
      const abort = (): void => place.leave(signal.reason);
      signal.addEventListener('abort', abort);
      this.line.push(place);
    });
  }

  /** Resolves when nothing is lent; nothing should be asked for after that. */
  async drained(): Promise<void> {
    while (this.lent > 0) await new Promise<void>((resolve) => (this.idle = resolve));
  }

  private lend(): () => void {
    this.lent++;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.lent--;
      const next = this.line.shift();
      if (next !== undefined) next.take();
      else this.free++;
      if (this.lent === 0) this.idle?.();
    };
  }
}

export function tooMany(maxWaiting: number): StagewatchError {
  return busy(`More than ${maxWaiting} queries wait already`);
}

function busy(message: string): StagewatchError {
  return new StagewatchError('UNAVAILABLE', `Code: 202. DB::Exception: ${message}. (TOO_MANY_SIMULTANEOUS_QUERIES)`, {
    retryAfterMs: askAgainMs,
  });
}
