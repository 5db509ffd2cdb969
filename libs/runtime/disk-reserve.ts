import { randomBytes } from 'node:crypto';
import { mkdirSync, statfsSync } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from './logging.js';
import { PeriodicTask } from './periodic.js';

const mib = 1024 ** 2;
const lookEveryMs = 250;
const maxBytes = 32 * mib;
/** Of a small disk only so much. */
const maxShare = 1 / 16;
/** With less than this left, the reserve is given away. */
const releaseBelowBytes = 16 * mib;
/** It is taken back when so much is left beside it. */
const regainMarginBytes = 96 * mib;
const chunkBytes = mib;

/**
 * A file that takes up room for the time when there is none left. What has been received can only be finished, and
 * thereby freed, by writing first: commits, rows, merges. When the disk is nearly full the file goes, what waits is worked
 * off in the room that it leaves, and nothing is taken in from outside until it can be made again.
 */
export class DiskReserve {
  private readonly path: string;
  private readonly bytes: number;
  private readonly task: PeriodicTask;
  private heldBytes = 0;

  constructor(
    private readonly folder: string,
    private readonly logger: Logger,
  ) {
    mkdirSync(folder, { recursive: true });
    this.path = join(folder, 'reserve');
    const { blocks, bsize } = statfsSync(folder);
    this.bytes = Math.floor(Math.min(maxBytes, blocks * bsize * maxShare) / chunkBytes) * chunkBytes;
    this.task = new PeriodicTask({ name: 'reserve of the disk', intervalMs: lookEveryMs, logger }, (signal) => this.look(signal));
  }

  /** What is given away and has to come back before anything else is taken in. */
  get missingBytes(): number {
    return this.bytes - this.heldBytes;
  }

  /** Before the stores are opened: on a full disk they need the room for that. */
  async start(): Promise<void> {
    this.heldBytes = Math.min(this.bytes, (await stat(this.path).catch(() => undefined))?.size ?? 0);
    if (this.freeBytes() < releaseBelowBytes) await this.release();
    this.task.start();
  }

  close(): Promise<void> {
    return this.task.close();
  }

  private async look(signal: AbortSignal): Promise<void> {
    const freeBytes = this.freeBytes();
    if (freeBytes < releaseBelowBytes) await this.release();
    else if (this.missingBytes > 0 && freeBytes > this.missingBytes + Math.min(regainMarginBytes, 3 * this.bytes)) {
      await this.regain(signal);
    }
  }

  private async release(): Promise<void> {
    if (this.heldBytes === 0) return;
    await rm(this.path, { force: true });
    this.logger.warn({ bytes: this.heldBytes }, 'the disk is nearly full: its reserve is used to finish what was received');
    this.heldBytes = 0;
  }

  private async regain(signal: AbortSignal): Promise<void> {
    const file = await open(this.path, 'a');
    try {
      while (this.missingBytes > 0 && !signal.aborted && this.freeBytes() > releaseBelowBytes + chunkBytes) {
        // Random, so that no file system saves the room.
        await file.write(randomBytes(chunkBytes));
        this.heldBytes += chunkBytes;
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }
}
