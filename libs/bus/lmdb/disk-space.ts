import { statfs } from 'node:fs/promises';
import { BusFull } from '../bus.js';

const ageMs = 500;
const recheckBytes = 4 * 1024 * 1024;
const pauseMs = 100;
const exhaustedBytes = 1024 * 1024;

/**
 * Keeps a reserve. A commit frees space, but needs some first: if publishing took the last page of the disk, nothing
 * could ever be finished again. So publishing stops before that, and commits go on.
 */
export class DiskSpace {
  private checkedMs = -Infinity;
  private bytes = 0;
  private low = false;
  private refusedMs = -Infinity;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly path: string,
    private readonly reserveBytes: number,
    /** What somebody else waits to take back, and is not there for what comes from outside. */
    private readonly withheldBytes: () => number = () => 0,
  ) {}

  /** Throws {@link BusFull}. Goes by the last look and starts the next one, so that callers keep their order. */
  assertRoom(): void {
    const now = performance.now();
    if (this.reserveBytes > 0 && (this.bytes > recheckBytes || now - this.checkedMs > (this.low ? pauseMs : ageMs))) {
      this.look().catch(() => undefined);
    }
    if (now - this.refusedMs < pauseMs) throw new BusFull('no space left for the bus');
    if (this.low) throw new BusFull(`less than ${this.reserveBytes + this.withheldBytes()} bytes left on the disk of the bus`);
  }

  used(bytes: number): void {
    this.bytes += bytes;
  }

  /** A transaction has failed for want of space: no other is tried for a moment. */
  full(): void {
    this.refusedMs = performance.now();
  }

  look(): Promise<void> {
    this.looking ??= this.measure().finally(() => (this.looking = undefined));
    return this.looking;
  }

  /** Whether `bytes` more, with the pages around them, would not fit. */
  async isExhausted(bytes: number): Promise<boolean> {
    return (await this.freeBytes()) < 2 * bytes + exhaustedBytes;
  }

  private async measure(): Promise<void> {
    this.checkedMs = performance.now();
    this.bytes = 0;
    this.low = (await this.freeBytes()) < this.reserveBytes + this.withheldBytes();
  }

  private async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }
}
