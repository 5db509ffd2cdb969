import { randomUUID } from 'node:crypto';
import { StagewatchError } from '#runtime/errors.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { backoffMs, retry, sleep, type Outcome } from '#runtime/retry.js';
import type { TableName, TableRows } from './rows.js';
import { tableFormats } from './table-rows.js';

export interface BatchLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
  /** Shortest time between two inserts into one table; the first row after a silence goes at once. */
  readonly maxAgeMs: number;
  /** Rows of all tables that may wait; beyond it, writers wait. */
  readonly maxQueuedBytes: number;
  /** How long weather is retried before the batch fails; while the database is away, nothing fails but at closing. */
  readonly retryForMs: number;
}

export const defaultBatchLimits: BatchLimits = {
  maxRows: 50_000,
  maxBytes: 8 * 1024 ** 2,
  maxAgeMs: 200,
  maxQueuedBytes: 128 * 1024 ** 2,
  retryForMs: 60_000,
};

/** One insert: all of it or nothing, and once, however often the same token comes. */
export interface Batch {
  readonly table: TableName;
  readonly rows: number;
  /** Lines of JSONCompactEachRow. */
  readonly body: string;
  readonly token: string;
}

/** `refused`: the rows are at fault, so trying again is no use. `away`: nobody is there to take them, so they wait. */
export type InsertOutcome =
  | Outcome<void>
  | { readonly kind: 'refused'; readonly error: StagewatchError }
  | { readonly kind: 'away'; readonly error: StagewatchError };

/** Rows of one caller; they travel together. */
interface Parcel {
  readonly rows: number;
  readonly body: string;
  readonly done: (error?: unknown) => void;
}

interface Queue {
  parcels: Parcel[];
  rows: number;
  bytes: number;
  /** When the last insert into this table began. */
  insertedMs: number;
}

const lingerMs = 5;
const delays = { firstDelayMs: 50, maxDelayMs: 2000 };
/** To ask whether a database is back costs next to nothing, and somebody waits for every row. */
const awayDelays = { firstDelayMs: 50, maxDelayMs: 200 };

/** Gathers the rows of many callers into few inserts, one at a time. */
export class BatchWriter {
  private readonly queues = new Map<TableName, Queue>();
  private readonly waiting: (() => void)[] = [];
  private readonly outstanding = new Set<Promise<void>>();
  private queuedBytes = 0;
  private closed = false;
  private readonly closing = new AbortController();
  private pump: Promise<void> | undefined;
  private wake: (() => void) | undefined;
  private hurry = 0;

  constructor(
    private readonly insert: (batch: Batch) => Promise<InsertOutcome>,
    private readonly options: {
      readonly limits: BatchLimits;
      readonly logger?: Logger | undefined;
      readonly metrics?: Metrics | undefined;
    },
  ) {}

  /** Resolves when the rows are in; rejects when they, or the batch they travelled in, could not be written. */
  async write<T extends TableName>(table: T, rows: readonly TableRows[T][]): Promise<void> {
    if (rows.length === 0) return;
    const { maxRows, maxQueuedBytes } = this.options.limits;
    const format = tableFormats[table];
    // Every line is made before any is queued: a bad row leaves nothing half-stored.
    const bodies: { rows: number; body: string }[] = [];
    for (let from = 0; from < rows.length; from += maxRows) {
      const part = rows.length <= maxRows ? rows : rows.slice(from, from + maxRows);
      bodies.push({ rows: part.length, body: part.map((row) => format.line(row)).join('\n') });
    }
    const parcels: Promise<void>[] = [];
    for (const body of bodies) {
      while (this.queuedBytes > maxQueuedBytes) await new Promise<void>((resolve) => this.waiting.push(resolve));
      parcels.push(this.enqueue(table, body));
    }
    await Promise.all(parcels);
  }

  /** Everything that was given to `write` before is in, or has failed, when this resolves. */
  async flush(): Promise<void> {
    this.hurry++;
    this.wake?.();
    await Promise.allSettled(this.outstanding);
    this.hurry--;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.closing.abort();
    await this.flush();
  }

  private enqueue(table: TableName, { rows, body }: { readonly rows: number; readonly body: string }): Promise<void> {
    if (this.closed) return Promise.reject(new StagewatchError('UNAVAILABLE', 'the store is closed'));
    const queue = this.queueOf(table);
    const outstanding = new Promise<void>((resolve, reject) => {
      const done = (error?: unknown): void => (error === undefined ? resolve() : reject(error));
      queue.parcels.push({ rows, body, done });
      queue.rows += rows;
      queue.bytes += body.length;
      this.queuedBytes += body.length;
      this.pump ??= this.run();
      if (this.isFull(queue)) this.wake?.();
    });
    this.outstanding.add(outstanding);
    const forget = (): void => void this.outstanding.delete(outstanding);
    outstanding.then(forget, forget);
    return outstanding;
  }

  private queueOf(table: TableName): Queue {
    let queue = this.queues.get(table);
    if (queue === undefined) this.queues.set(table, (queue = { parcels: [], rows: 0, bytes: 0, insertedMs: 0 }));
    return queue;
  }

  private isFull(queue: Queue): boolean {
    return queue.rows >= this.options.limits.maxRows || queue.bytes >= this.options.limits.maxBytes;
  }

  private async run(): Promise<void> {
    // Callers that write in the same moment travel together.
    await this.pause(lingerMs);
    for (;;) {
      const next = this.nextDue();
      if (next === undefined) {
        this.pump = undefined;
        return;
      }
      const waitMs = this.hurry > 0 ? 0 : next.dueMs - performance.now();
      if (waitMs > 0) await this.pause(waitMs);
      else await this.send(next.table, next.queue);
    }
  }

  private nextDue(): { table: TableName; queue: Queue; dueMs: number } | undefined {
    let best: { table: TableName; queue: Queue; dueMs: number } | undefined;
    for (const [table, queue] of this.queues) {
      if (queue.parcels.length === 0) continue;
      const dueMs = this.isFull(queue) ? 0 : queue.insertedMs === 0 ? 0 : queue.insertedMs + this.options.limits.maxAgeMs;
      // Among equals the table that was written longest ago goes first, so that no table waits behind a busy one.
      if (best === undefined || dueMs < best.dueMs || (dueMs === best.dueMs && queue.insertedMs < best.queue.insertedMs)) {
        best = { table, queue, dueMs };
      }
    }
    return best;
  }

  private async pause(ms: number): Promise<void> {
    if (this.hurry > 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }

  private async send(table: TableName, queue: Queue): Promise<void> {
    queue.insertedMs = performance.now();
    const parcels = this.take(queue);
    const outcome = await this.tryInsert(table, parcels);
    if (outcome.kind === 'refused' && parcels.length > 1) {
      // One caller's bad row must not take the others' rows with it.
      for (const parcel of parcels) settle([parcel], await this.tryInsert(table, [parcel]));
    } else settle(parcels, outcome);
    for (const parcel of parcels) this.queuedBytes -= parcel.body.length;
    for (const resume of this.waiting.splice(0)) resume();
  }

  private take(queue: Queue): readonly Parcel[] {
    const { maxRows, maxBytes } = this.options.limits;
    let [rows, bytes, count] = [0, 0, 0];
    for (const parcel of queue.parcels) {
      if (count > 0 && (rows + parcel.rows > maxRows || bytes + parcel.body.length > maxBytes)) break;
      rows += parcel.rows;
      bytes += parcel.body.length;
      count++;
    }
    queue.rows -= rows;
    queue.bytes -= bytes;
    return queue.parcels.splice(0, count);
  }

  private async tryInsert(table: TableName, parcels: readonly Parcel[]): Promise<InsertOutcome> {
    const { limits, logger, metrics } = this.options;
    const batch: Batch = {
      table,
      rows: parcels.reduce((sum, parcel) => sum + parcel.rows, 0),
      body: parcels.map((parcel) => parcel.body).join('\n'),
      token: randomUUID(),
    };
    const beganMs = performance.now();
    let refused: StagewatchError | undefined;
    const outcome = await retry<void>(
      async () => {
        const answer = await this.insertWhenThere(batch);
        if (answer.kind !== 'refused') return answer;
        refused = answer.error;
        return { kind: 'failure', error: answer.error };
      },
      { ...delays, deadlineMs: this.closed ? 0 : limits.retryForMs, onRetry: this.retryTeller(batch) },
    );
    if (outcome.kind === 'success') {
      metrics?.batchRows.observe({ table }, batch.rows);
      metrics?.insertSeconds.observe({ table }, (performance.now() - beganMs) / 1000);
      return outcome;
    }
    logger?.error({ err: outcome.error, table, rows: batch.rows }, 'insert failed');
    return refused === undefined ? outcome : { kind: 'refused', error: refused };
  }

  /** The database may be away for longer than any weather lasts; only who closes does not wait for it. */
  private async insertWhenThere(batch: Batch): Promise<Exclude<InsertOutcome, { kind: 'away' }>> {
    const tell = this.retryTeller(batch);
    for (let tries = 0; ; tries++) {
      const answer = await this.insert(batch);
      if (answer.kind !== 'away') return answer;
      if (this.closed) return { kind: 'failure', error: answer.error };
      const delayMs = backoffMs(tries, awayDelays);
      tell(answer.error, delayMs);
      await sleep(delayMs, this.closing.signal);
    }
  }

  private retryTeller({ table, rows }: Batch): (error: unknown, delayMs: number) => void {
    const { logger, metrics } = this.options;
    return (error, delayMs) => {
      metrics?.insertRetries.inc({ table });
      logger?.warn({ err: error, table, rows, delayMs }, 'insert is tried again');
    };
  }
}

function settle(parcels: readonly Parcel[], outcome: InsertOutcome): void {
  for (const parcel of parcels) parcel.done(outcome.kind === 'success' ? undefined : outcome.error);
}
