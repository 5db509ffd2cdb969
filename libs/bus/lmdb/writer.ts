import type { Logger } from '#runtime/logging.js';
import { BusFull } from '../bus.js';
import type { DiskSpace } from './disk-space.js';
import type { Table, Tables } from './tables.js';

/** One transaction takes operations until it holds so much. */
const batchBytes = 16 * 1024 * 1024;
const batchWrites = 50_000;
/** What waits for the disk beyond this is refused. */
const queueBytes = 256 * 1024 * 1024;
/** A transaction that has not come back after this long makes the bus unhealthy. */
const stuckMs = 60_000;

/** ENOSPC, EDQUOT, EFBIG, MDB_MAP_FULL, MDB_TXN_FULL, MDB_BAD_TXN (what follows MAP_FULL within a transaction). */
const fullCodes = new Set<unknown>([28, 122, 27, -30792, -30788, -30782]);
/** What LMDB says when a write was cut short, which is how a disk becomes full. */
const eio = 5;

/** What one transaction will write, and how the memory beside it goes on or goes back. */
export class Batch {
  readonly writes: { table: Table; key: Buffer; value: Buffer | undefined }[] = [];
  bytes = 0;
  /** Ids of this batch that the tables do not show yet; `undefined`: removed. */
  readonly ids = new Map<string, number | undefined>();
  /** Revisions of this batch that the tables do not show yet; `undefined`: removed. */
  readonly revisions = new Map<string, number | undefined>();
  private readonly before = new Map<object, object>();
  private readonly rows = new Map<object, () => void>();
  private readonly undoing: (() => void)[] = [];
  private readonly doing: (() => void)[] = [];

  put(table: Table, key: Buffer, value: Buffer): void {
    this.writes.push({ table, key, value });
    this.bytes += key.length + value.length;
  }

  remove(table: Table, key: Buffer): void {
    this.writes.push({ table, key, value: undefined });
    this.bytes += key.length;
  }

  /** Remembers `object` as it is now, in case the batch fails, and writes its row once at the end. */
  change<T extends object>(object: T, writeRow: () => void): void {
    if (!this.before.has(object)) this.before.set(object, { ...object });
    this.rows.set(object, writeRow);
  }

  onFailure(undo: () => void): void {
    this.undoing.push(undo);
  }

  onSuccess(then: () => void): void {
    this.doing.push(then);
  }

  seal(): void {
    for (const writeRow of this.rows.values()) writeRow();
  }

  succeed(): void {
    for (const then of this.doing) then();
  }

  fail(): void {
    for (const undo of this.undoing.reverse()) undo();
    for (const [object, before] of this.before) Object.assign(object, before);
  }
}

interface Operation {
  readonly plan: (batch: Batch) => unknown;
  readonly bytes: number;
  readonly alone: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit. Operations that arrive while a transaction is being synced travel together in the next one. A plan
 * reads tables and memory, changes memory through the batch, and throws before it has changed anything.
 */
export class Writer {
  private queue: Operation[] = [];
  private queuedBytes = 0;
  private loop: Promise<void> | undefined;
  private closed = false;
  private startedMs: number | undefined;
  private broken: unknown;
  /** Bytes handed to LMDB since the writer was made. */
  writtenBytes = 0;

  constructor(
    private readonly root: Tables['root'],
    private readonly space: DiskSpace,
    private readonly logger: Logger | undefined,
  ) {}

  write<T>(plan: (batch: Batch) => T, options: { readonly bytes?: number; readonly alone?: boolean } = {}): Promise<T> {
    const bytes = options.bytes ?? 0;
    if (this.closed) return Promise.reject(new Error('the bus is closed'));
    if (bytes > 0 && this.queuedBytes + bytes > queueBytes && this.queuedBytes > 0) {
      return Promise.reject(new BusFull(`${this.queuedBytes} bytes wait to be written`));
    }
    return new Promise<T>((resolve, reject) => {
      this.queue.push({ plan, bytes, alone: options.alone ?? false, resolve: resolve as (value: unknown) => void, reject });
      this.queuedBytes += bytes;
      this.loop ??= Promise.resolve().then(() => this.run());
    });
  }

  /** Throws when the last transaction failed for another reason than space, or hangs. */
  check(): void {
    if (this.broken !== undefined) throw new Error('the bus cannot write', { cause: this.broken });
    if (this.startedMs !== undefined && performance.now() - this.startedMs > stuckMs) {
      throw new Error(`the bus has waited ${stuckMs} ms for its disk`);
    }
  }

  /** Finishes what was handed in. */
  async close(): Promise<void> {
    this.closed = true;
    await this.loop;
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0) await this.turn();
    this.loop = undefined;
  }

  private async turn(): Promise<void> {
    const batch = new Batch();
    const planned: { operation: Operation; value: unknown }[] = [];
    let taken = 0;
    for (const operation of this.queue) {
      if (taken > 0 && (operation.alone || batch.bytes > batchBytes || batch.writes.length > batchWrites)) break;
      taken++;
      this.queuedBytes -= operation.bytes;
      try {
        planned.push({ operation, value: operation.plan(batch) });
      } catch (error) {
        operation.reject(error);
      }
      if (operation.alone) break;
    }
    this.queue = this.queue.slice(taken);
    try {
      batch.seal();
      await this.commit(batch);
    } catch (error) {
      batch.fail();
      const reason = await this.explain(error, batch.bytes);
      for (const { operation } of planned) operation.reject(reason);
      return;
    }
    this.broken = undefined;
    batch.succeed();
    for (const { operation, value } of planned) operation.resolve(value);
  }

  private async commit(batch: Batch): Promise<void> {
    if (batch.writes.length === 0) return;
    this.startedMs = performance.now();
    try {
      // One transaction; the promise resolves when it is synced. Those of the single writes say nothing within a batch.
      await this.root.batch(() => {
        for (const { table, key, value } of batch.writes) {
          if (value === undefined) void table.remove(key);
          else void table.put(key, value);
        }
      });
      this.writtenBytes += batch.bytes;
    } catch (error) {
      throw await commitError(error);
    } finally {
      this.startedMs = undefined;
    }
  }

  private async explain(error: unknown, bytes: number): Promise<unknown> {
    const code = (error as { code?: unknown }).code;
    const full = fullCodes.has(code) || (code === eio && (await this.space.isExhausted(bytes)));
    if (full) return new BusFull('no space left for the bus', { cause: error });
    this.broken = error;
    this.logger?.error({ err: error }, 'the bus could not write a transaction');
    return error;
  }
}

/** LMDB's own error stands behind a promise on the one that the write was refused with. */
async function commitError(error: unknown): Promise<unknown> {
  const cause = (error as { commitError?: Promise<unknown> }).commitError;
  if (cause === undefined) return error;
  try {
    await cause;
    return error;
  } catch (inner) {
    return inner;
  }
}
