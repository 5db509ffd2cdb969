import { Readable } from 'node:stream';
import { Session } from 'chdb';
import { StagewatchError } from '#runtime/errors.js';
import type { ForeignQuery } from '../store.js';
import { ConnectionPool, type Lease } from './connection-pool.js';
import { Gate, type BoundValue } from './gate.js';
import { engineError, refusal } from './refusal.js';

const connections = 2;
const maxWaiting = 64;
const defaultMaxSeconds = 60;
/** A reader that takes nothing for this long gives its connection back. */
const maxStalledMs = 60_000;
const maxMaterializedBytes = 256 * 1024 ** 2;

/**
 * What every foreign connection is bound to. `readonly = 2` and `allow_ddl = 0` are not the gate: they are the second lock
 * behind it.
 */
const bounds =
  'allow_ddl = 0, max_memory_usage = 2147483648, max_execution_time = 60, max_untracked_memory = 4194304, readonly = 2';

/** Formats whose parts, one after the other, are the whole. The others are made in one piece. */
const streamable =
  /^(Native|RowBinary|JSONEachRow|JSONLines|NDJSON|JSONCompactEachRow|JSONStringsEachRow|JSONCompactStringsEachRow|TSV|TSVRaw|TabSeparated|TabSeparatedRaw|CSV|Values|LineAsString|RawBLOB|MsgPack)$/;

/** Answers queries of strangers, on connections of their own. */
export class ForeignQueries {
  private closed = false;
  private readonly running = new Set<AbortController>();

  private constructor(
    private readonly sessions: readonly Session[],
    private readonly pool: ConnectionPool,
    private readonly gate: Gate,
    private readonly database: string,
  ) {}

  static async open(path: string, database: string): Promise<ForeignQueries> {
    const sessions: Session[] = [];
    try {
      for (let i = 0; i <= connections; i++) {
        const session = new Session(path);
        sessions.push(session);
        await session.queryAsync(`USE ${database}`);
        await session.queryAsync(`SET ${bounds}`);
      }
      const [gateSession, ...others] = sessions as [Session, ...Session[]];
      const gate = await Gate.open(gateSession, database);
      return new ForeignQueries(sessions, new ConnectionPool(others, maxWaiting), gate, database);
    } catch (error) {
      for (const session of sessions) session.close();
      throw error;
    }
  }

  async query(request: ForeignQuery): Promise<Readable> {
    if (this.closed) throw new StagewatchError('UNAVAILABLE', 'the store is closed');
    const maxSeconds = request.maxSeconds ?? defaultMaxSeconds;
    const parameters: Readonly<Record<string, BoundValue>> = request.parameters ?? {};
    const database = request.database ?? this.database;
    const passed = await this.gate.pass({
      sql: request.sql,
      parameters,
      settings: request.settings ?? {},
      format: request.format ?? 'TabSeparated',
      maxSeconds,
      database,
    });
    const stopping = new AbortController();
    const signal = request.signal === undefined ? stopping.signal : AbortSignal.any([request.signal, stopping.signal]);
    this.running.add(stopping);
    const lease = await this.pool.lease(signal).catch((error: unknown) => {
      this.running.delete(stopping);
      throw engineError(error);
    });
    const chunks = this.run(
      lease,
      passed.sql,
      parameters,
      database,
      passed.isSelect && streamable.test(passed.format) ? signal : undefined,
    );
    const finish = (): void => {
      this.running.delete(stopping);
      lease.release();
    };
    try {
      // The first part is awaited here, so that a query that fails at once fails before anything was answered.
      const first = await chunks.next();
      return new ResultStream(first, chunks, finish);
    } catch (error) {
      finish();
      throw engineError(error);
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const query of this.running) query.abort(new StagewatchError('UNAVAILABLE', 'the store is closed'));
    await this.pool.drained();
    for (const session of this.sessions) session.close();
  }

  private async *run(
    { session }: Lease,
    sql: string,
    parameters: Readonly<Record<string, BoundValue>>,
    database: string,
    streamSignal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void> {
    const bound = Object.keys(parameters).length > 0;
    // The connection serves one query at a time, so its current database is this query's until it is set back.
    if (database !== this.database) await session.queryAsync(`USE ${database}`);
    try {
      if (streamSignal === undefined) {
        const whole = `${sql}, max_result_bytes = ${maxMaterializedBytes}`;
        yield (await (bound ? session.queryBindAsync(whole, parameters) : session.queryAsync(whole))).bytes();
        return;
      }
      const options = { signal: streamSignal };
      const stream = bound ? session.queryStreamBind(sql, parameters, options) : session.queryStream(sql, options);
      for await (const chunk of stream) yield chunk.raw();
    } finally {
      if (database !== this.database) await session.queryAsync(`USE ${this.database}`);
    }
  }
}

/** The parts of a result as a stream; `finish` is called once, when the engine is done with the query for whatever reason. */
class ResultStream extends Readable {
  private pending: IteratorResult<Uint8Array, void> | undefined;
  private stall: NodeJS.Timeout | undefined;
  private working: Promise<unknown> = Promise.resolve();

  constructor(
    first: IteratorResult<Uint8Array, void>,
    private readonly chunks: AsyncGenerator<Uint8Array, void>,
    private readonly finish: () => void,
  ) {
    super({ highWaterMark: 1 });
    this.pending = first;
    this.watch();
  }

  override _read(): void {
    clearTimeout(this.stall);
    const next = this.pending === undefined ? this.chunks.next() : Promise.resolve(this.pending);
    this.pending = undefined;
    this.working = next.then(
      (part) => {
        this.watch();
        if (part.done === true) this.push(null);
        else if (part.value.length === 0) this._read();
        else this.push(part.value);
      },
      (error: unknown) => this.destroy(engineError(error)),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.stall);
    void this.letGo(() => callback(error));
  }

  /** A connection is free only when the engine has let go of the query. */
  private async letGo(done: () => void): Promise<void> {
    await this.working;
    await this.chunks.return().catch(() => undefined);
    this.finish();
    done();
  }

  private watch(): void {
    clearTimeout(this.stall);
    this.stall = setTimeout(() => {
      this.destroy(refusal('TIMEOUT_EXCEEDED', `Nothing was read for ${maxStalledMs / 1000} s`));
    }, maxStalledMs);
    this.stall.unref();
  }
}
