import type { Frame, ResetReason } from '../events/live.js';

/** A frame on the way counts against these until the client says that it has it. */
const maxUnacknowledgedFrames = 40;
const maxUnacknowledgedItems = 100_000;

/** Where frames of one subscription go. */
export interface FeedSink {
  frame(frame: Frame, received: () => void): void;
  reset(reason: ResetReason): void;
}

/** One subscription of one client: sends frames, and gives up on a client that does not take them. */
export class Feed {
  private frames = 0;
  private items = 0;
  private closed = false;

  constructor(
    readonly view: number,
    private readonly sink: FeedSink,
  ) {}

  get ended(): boolean {
    return this.closed;
  }

  /** False when the feed ended instead, because too much is on the way. */
  send(frame: Omit<Frame, 'view'>, items: number): boolean {
    if (this.closed) return false;
    if (this.frames >= maxUnacknowledgedFrames || this.items + items > maxUnacknowledgedItems) {
      this.reset('too-slow');
      return false;
    }
    this.frames++;
    this.items += items;
    let acknowledged = false;
    this.sink.frame({ view: this.view, ...frame }, () => {
      if (acknowledged) return;
      acknowledged = true;
      this.frames--;
      this.items -= items;
    });
    return true;
  }

  reset(reason: ResetReason): void {
    if (this.closed) return;
    this.closed = true;
    this.sink.reset(reason);
  }

  close(): void {
    this.closed = true;
  }
}
