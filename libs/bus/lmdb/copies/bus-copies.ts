import { statfs } from 'node:fs/promises';
import type { Logger } from '#runtime/logging.js';
import { PeriodicTask } from '#runtime/periodic.js';
import { addCopy, listCopies } from './copy-files.js';

export interface CopyOptions {
  /** A folder beside that of the bus, so that it does not go with it. */
  readonly folder: string;
  readonly everyMs: number;
}

/** What is copied. */
export interface CopySource {
  /** Grows with every commit. */
  transaction(): number;
  /** About what a copy takes. */
  bytes(): Promise<number>;
  copyTo(path: string): Promise<void>;
}

const keep = 2;
/** A larger bus is one that waits for somebody: copying it again and again would keep the disk from what it waits for. */
const maxBytes = 512 * 1024 ** 2;
/** So much more than a copy takes must be free. */
const spareBytes = 256 * 1024 ** 2;

/** Keeps copies of the bus that can be opened when its own file cannot: one at the start, and one after each interval with changes. */
export class BusCopies {
  private readonly task: PeriodicTask;
  private saidWhy = '';

  constructor(
    private readonly source: CopySource,
    private readonly options: CopyOptions,
    private readonly logger: Logger,
  ) {
    this.task = new PeriodicTask({ name: 'copies of the bus', intervalMs: options.everyMs, logger }, () => this.copy());
  }

  start(): void {
    this.task.start();
  }

  close(): Promise<void> {
    return this.task.close();
  }

  private async copy(): Promise<void> {
    const { folder } = this.options;
    const transaction = this.source.transaction();
    const [newest] = await listCopies(folder);
    if (newest?.transaction === transaction) return;
    const why = await this.reasonAgainst();
    if (why !== '' && why !== this.saidWhy) this.logger.warn({ newestCopyMs: newest?.timeMs }, `no copy of the bus: ${why}`);
    this.saidWhy = why;
    if (why !== '') return;
    const { path, bytes } = await addCopy(folder, transaction, keep, (file) => this.source.copyTo(file));
    this.logger.debug({ path, bytes }, 'the bus was copied');
  }

  private async reasonAgainst(): Promise<string> {
    const bytes = await this.source.bytes();
    if (bytes > maxBytes) return `it holds ${bytes} bytes, and a copy may have ${maxBytes}`;
    const { bavail, bsize } = await statfs(this.options.folder).catch(() => ({ bavail: Infinity, bsize: 1 }));
    return bavail * bsize < bytes + spareBytes ? 'there is no room for it on the disk' : '';
  }
}
