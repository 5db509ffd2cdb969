import type { Session } from 'chdb';
import { refusal } from './refusal.js';

export interface Lease {
  readonly session: Session;
  release(): void;
}

/** A connection takes its queries one by one, so each is lent to one query at a time; the others wait in line. */
export class ConnectionPool {
  private readonly free: Session[];
  private readonly line: { readonly take: (lease: Lease) => void; readonly signal: AbortSignal | undefined }[] = [];
  private lent = 0;
  private idle: (() => void) | undefined;

  constructor(
    sessions: readonly Session[],
    private readonly maxWaiting: number,
  ) {
    this.free = [...sessions];
  }

  async lease(signal?: AbortSignal): Promise<Lease> {
    signal?.throwIfAborted();
    const session = this.free.pop();
    if (session !== undefined) return this.lend(session);
    if (this.line.length >= this.maxWaiting) {
      throw refusal('TOO_MANY_SIMULTANEOUS_QUERIES', `More than ${this.maxWaiting} queries wait already`);
    }
    return await new Promise((resolve, reject) => {
      const place = { take: resolve, signal };
      this.line.push(place);
      signal?.addEventListener('abort', () => {
        const at = this.line.indexOf(place);
        if (at >= 0) this.line.splice(at, 1);
        reject(signal.reason);
      });
    });
  }

  /** Resolves when nothing is lent; nothing should be asked for after that. */
  async drained(): Promise<void> {
    while (this.lent > 0) await new Promise<void>((resolve) => (this.idle = resolve));
  }

  private lend(session: Session): Lease {
    this.lent++;
    let released = false;
    return {
      session,
      release: () => {
        if (released) return;
        released = true;
        this.lent--;
        const next = this.line.shift();
        if (next !== undefined) next.take(this.lend(session));
        else this.free.push(session);
        if (this.lent === 0) this.idle?.();
      },
    };
  }
}
