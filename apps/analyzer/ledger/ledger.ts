import { encodeJson, type LiveBody } from '#bus/messages.js';
import type { Lease, Message } from '#bus/bus.js';
import type { ScalarRow } from '#store/rows.js';
import { decode } from '../decode.js';
import { GroupWorker, type Work } from '../group-worker.js';
import type { AnalyzerParts } from '../parts.js';
import { outlast } from '../weather.js';
import { scalarRows } from './scalar-rows.js';
import { seriesDeltas } from './series-delta.js';

const maxTakenBytes = 4 * 1024 * 1024;

/**
 * The group that writes every scalar to ClickHouse at once and waits for no measurement. A delta goes to `live` after
 * its rows are in and before the position is committed: a crash between makes it come twice, never not at all, and its
 * readers merge by key.
 */
export function createLedger(parts: AnalyzerParts): GroupWorker {
  return new GroupWorker(
    parts,
    { stream: 'records', group: 'ledger', leaseMs: 30_000, concurrency: 8, take: { maxMessages: 2000, maxBytes: maxTakenBytes } },
    (work) => write(parts, work),
  );
}

async function write(parts: AnalyzerParts, { lease, signal, cautious }: Work): Promise<void> {
  if (!cautious) return writeAll(parts, lease, lease.messages, signal);
  for (const message of lease.messages) await writeAll(parts, lease, [message], signal);
}

async function writeAll(
  { store, bus, logger, metrics }: AnalyzerParts,
  lease: Lease,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<void> {
  const rows: ScalarRow[] = [];
  const receivedMs: number[] = [];
  for (const message of messages) {
    const envelope = decode(message);
    const own = scalarRows(envelope);
    if (own.length > 0) receivedMs.push(envelope.receivedTimeMs);
    for (const row of own) rows.push(row);
  }
  const first = messages[0]!.position;
  const last = messages.at(-1)!.position;
  if (rows.length > 0) {
    await outlast('scalars', () => store.write('scalars', rows), signal, logger);
    const nowMs = Date.now();
    for (const ms of receivedMs) metrics.freshnessSeconds.observe(Math.max(0, nowMs - ms) / 1000);
    const body: LiveBody = { kind: 'series', series: seriesDeltas(rows) };
    const delta = { subject: lease.subject, id: `scalars.${first}-${last}`, body: encodeJson(body) };
    await outlast('live', () => bus.publish('live', [delta]), signal, logger);
  }
  await outlast('commit', () => lease.commit(last), signal, logger);
}
