import type { Readable } from 'node:stream';
import { StagewatchError } from '#runtime/errors.js';
import type { ClickHouseClient } from '../clickhouse-client.js';
import { foreignSlots } from '../engine-process/options.js';
import type { ForeignQuery } from '../store.js';
import { ConnectionPool, tooMany } from './connection-pool.js';
import { Gate, type AskEngine, type BoundValue, type PassedQuery } from './gate.js';
import { rawResult } from './raw-result.js';
import { engineError } from './refusal.js';
import { ResultStream } from './result-stream.js';

const maxWaiting = 64;
const defaultMaxSeconds = 60;
/** Of a result that is made in one piece, and of a longer one that is handed out in parts. */
const maxMaterializedBytes = 256 * 1024 ** 2;

/** Formats whose parts, one after the other, are the whole. The others are made in one piece. */
const streamable =
  /^(Native|RowBinary|JSONEachRow|JSONLines|NDJSON|JSONCompactEachRow|JSONStringsEachRow|JSONCompactStringsEachRow|TSV|TSVRaw|TabSeparated|TabSeparatedRaw|CSV|Values|LineAsString|RawBLOB|MsgPack)$/;

export interface ForeignClients {
  /** Sees the text of strangers, and runs none of it. */
  readonly gate: ClickHouseClient;
  readonly foreign: ClickHouseClient;
}

/** Answers queries of strangers: a gate, a line, and bounds that the engine keeps. */
export class ForeignQueries {
  private closed = false;
  /** Each from when it comes until its answer has ended: at the gate, in the line, or in the engine. */
  private readonly running = new Set<AbortController>();
  private readonly pool = new ConnectionPool(foreignSlots, maxWaiting);

  private constructor(
    private readonly clients: ForeignClients,
    private readonly gate: Gate,
    private readonly database: string,
  ) {}

  static async open(clients: ForeignClients, database: string): Promise<ForeignQueries> {
    return new ForeignQueries(clients, await Gate.open(askOf(clients.gate, database), database), database);
  }

  async query(request: ForeignQuery): Promise<Readable> {
    if (this.closed) throw new StagewatchError('UNAVAILABLE', 'the store is closed');
    // Before the gate, which asks the engine: a crowd costs it nothing, and hears at once.
    if (this.running.size >= foreignSlots + maxWaiting) throw tooMany(maxWaiting);
    const parameters: Readonly<Record<string, BoundValue>> = request.parameters ?? {};
    const database = request.database ?? this.database;
    const stopping = new AbortController();
    const { signal } = stopping;
    const giveUp = (): void => stopping.abort(request.signal?.reason);
    if (request.signal?.aborted === true) giveUp();
    request.signal?.addEventListener('abort', giveUp);
    this.running.add(stopping);
    let release: (() => void) | undefined;
    const finish = (): void => {
      request.signal?.removeEventListener('abort', giveUp);
      this.running.delete(stopping);
      release?.();
    };
    try {
      const passed = await this.gate.pass({
        sql: request.sql,
        parameters,
        settings: request.settings ?? {},
        format: request.format ?? 'TabSeparated',
        maxSeconds: request.maxSeconds ?? defaultMaxSeconds,
        database,
      });
      release = await this.pool.lease(signal);
      const chunks = this.run(passed, parameters, database, signal);
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
  }

  /** A request that is given up ends its query in the engine. */
  private run(
    passed: PassedQuery,
    parameters: Readonly<Record<string, BoundValue>>,
    database: string,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void> {
    const inParts = passed.isSelect && streamable.test(passed.format);
    return rawResult(this.clients.foreign, {
      sql: passed.sql,
      parameters,
      settings: {
        database,
        default_format: passed.format as 'JSON',
        wait_end_of_query: inParts ? 0 : 1,
        ...(inParts ? {} : { max_result_bytes: String(maxMaterializedBytes) }),
      },
      signal,
    });
  }
}

function askOf(client: ClickHouseClient, database: string): AskEngine {
  return async (sql, parameters) => {
    const parts: Uint8Array[] = [];
    // Never aborted: the gate asks short things, which the engine bounds.
    const { signal } = new AbortController();
    const settings = { database, default_format: 'TSVRaw' as 'JSON', wait_end_of_query: 1 } as const;
    for await (const part of rawResult(client, { sql, parameters, settings, signal })) parts.push(part);
    return Buffer.concat(parts).toString('utf8');
  };
}
