import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Session, type ChdbResult } from 'chdb';
import { StagewatchError } from '#runtime/errors.js';
import { stopSignal } from '#runtime/stop-signal.js';
import type { ForeignQuery } from '../store.js';
import { ConnectionPool, type Lease } from './connection-pool.js';
import { Gate, type AskEngine, type BoundValue } from './gate.js';
import { engineError } from './refusal.js';
import { ResultStream } from './result-stream.js';

const connections = 2;
const maxWaiting = 64;
const defaultMaxSeconds = 60;
/** A query that was told to stop is told again until it does. */
const killEveryMs = 250;
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
    private readonly control: Session,
    private readonly pool: ConnectionPool,
    private readonly gate: Gate,
    private readonly database: string,
  ) {}

  static async open(path: string, database: string): Promise<ForeignQueries> {
    const sessions: Session[] = [];
    try {
      const open = async (): Promise<Session> => {
        const session = new Session(path);
        sessions.push(session);
        await session.queryAsync(`USE ${database}`);
        return session;
      };
      // The only one without bounds; it sees no text of strangers.
      const control = await open();
      const gateSession = await open();
      const lent = [];
      for (let i = 0; i < connections; i++) lent.push(await open());
      for (const session of [gateSession, ...lent]) await session.queryAsync(`SET ${bounds}`);
      const gate = await Gate.open(askOf(gateSession), database);
      return new ForeignQueries(sessions, control, new ConnectionPool(lent, maxWaiting), gate, database);
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
    const stopping = new AbortController();
    const stop = stopSignal([request.signal, stopping.signal]);
    const { signal } = stop;
    this.running.add(stopping);
    let lease: Lease | undefined;
    const finish = (): void => {
      stop.end();
      this.running.delete(stopping);
      lease?.release();
    };
    try {
      const passed = await this.gate.pass({
        sql: request.sql,
        parameters,
        settings: request.settings ?? {},
        format: request.format ?? 'TabSeparated',
        maxSeconds,
        database,
      });
      lease = await this.pool.lease(signal);
      const inParts = passed.isSelect && streamable.test(passed.format);
      const chunks = this.run(lease, { sql: passed.sql, parameters, database, inParts }, signal);
      // The first part is awaited here, so that a query that fails at once fails before anything was answered.
      const first = await chunks.next();
      return new ResultStream(first, chunks, { stop: () => stopping.abort(), finish });
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

  private async *run({ session }: Lease, plan: Plan, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const { parameters, database } = plan;
    const bound = Object.keys(parameters).length > 0;
    const mark = randomUUID();
    const sql = `${plan.sql}, log_comment = '${mark}'`;
    const endKilling = this.killOnAbort(mark, signal);
    // The connection serves one query at a time, so its current database is this query's until it is set back.
    if (database !== this.database) await session.queryAsync(`USE ${database}`);
    try {
      if (plan.inParts) {
        const stream = bound ? session.queryStreamBind(sql, parameters, { signal }) : session.queryStream(sql, { signal });
        for await (const chunk of stream) yield chunk.raw();
      } else {
        const whole = `${sql}, max_result_bytes = ${maxMaterializedBytes}`;
        yield await wholeResult(session, bound ? session.queryBindAsync(whole, parameters) : session.queryAsync(whole));
      }
    } finally {
      endKilling();
      if (database !== this.database) await session.queryAsync(`USE ${this.database}`);
    }
  }

  /** The driver gives a query up between two parts of its result at best; the engine itself ends it at once. */
  private killOnAbort(mark: string, signal: AbortSignal): () => void {
    let timer: NodeJS.Timeout | undefined;
    const kill = (): void => {
      const sql = `KILL QUERY WHERE Settings['log_comment'] = '${mark}' ASYNC`;
      void this.control.queryAsync(sql).catch(() => undefined);
    };
    const begin = (): void => {
      kill();
      timer = setInterval(kill, killEveryMs);
    };
    if (signal.aborted) begin();
    else signal.addEventListener('abort', begin, { once: true });
    return () => {
      signal.removeEventListener('abort', begin);
      clearInterval(timer);
    };
  }
}

function askOf(session: Session): AskEngine {
  const options = { format: 'TSVRaw' };
  return async (sql, parameters) => {
    const bound = Object.keys(parameters).length > 0;
    const answer = await (bound ? session.queryBindAsync(sql, parameters, options) : session.queryAsync(sql, options));
    return answer.text();
  };
}

/** What a query had written when it failed, the engine hands to the next one on its connection: it is thrown away here. */
async function wholeResult(session: Session, result: Promise<ChdbResult>): Promise<Uint8Array> {
  try {
    return (await result).bytes();
  } catch (error) {
    await session.queryAsync('SELECT 1');
    throw error;
  }
}

interface Plan {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, BoundValue>>;
  readonly database: string;
  readonly inParts: boolean;
}
