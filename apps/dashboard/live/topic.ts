import type { LiveBody } from '#bus/messages.js';
import { DeltaBuffer } from './delta-buffer.js';
import type { Feed } from './feed.js';

/** More than this between two frames is not worth sending: a thinned history is smaller. */
export const maxFrameItems = 50_000;

/** Everybody who watches the same thing, and what they have not been told yet. */
export class Topic {
  private readonly feeds = new Set<Feed>();
  private readonly buffer: DeltaBuffer;
  private sentCursor = 0;

  constructor(rowsOnly: boolean) {
    this.buffer = new DeltaBuffer(rowsOnly);
  }

  get watchers(): number {
    return this.feeds.size;
  }

  join(feed: Feed): void {
    this.feeds.add(feed);
  }

  leave(feed: Feed): void {
    this.feeds.delete(feed);
  }

  add(run: string, body: LiveBody): void {
    this.buffer.add(run, body);
    if (this.buffer.items <= maxFrameItems) return;
    this.buffer.drain();
    this.resetAll('too-much');
  }

  /** Sends what is held; `withCursor` sends also when there is nothing but a newer cursor. */
  flush(cursor: number, withCursor: boolean): void {
    if (this.buffer.empty && !(withCursor && cursor > this.sentCursor)) return;
    const items = this.buffer.items;
    const content = this.buffer.drain();
    this.sentCursor = cursor;
    for (const feed of this.feeds) if (!feed.send({ cursor, ...content }, items)) this.feeds.delete(feed);
  }

  resetAll(reason: 'cursor-too-old' | 'too-much'): void {
    for (const feed of this.feeds) feed.reset(reason);
    this.feeds.clear();
  }
}
