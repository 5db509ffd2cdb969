import { GroupWorker } from '../group-worker.js';
import { RunSession, type SessionParts } from './run-session.js';

/**
 * The group that judges: each run in order, under one owner, and it never waits for a measurement, so a run keeps nobody
 * waiting. Everything that was found is in ClickHouse and on the bus before the position is committed.
 */
export function createJudgeGroup(parts: SessionParts): GroupWorker {
  return new GroupWorker(
    parts,
    { stream: 'records', group: 'judge', leaseMs: 30_000, concurrency: 16, take: { maxMessages: 500, maxBytes: 1024 * 1024 } },
    (work) => new RunSession(parts, work).run(),
  );
}
