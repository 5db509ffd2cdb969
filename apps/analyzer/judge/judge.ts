import { GroupWorker } from '../group-worker.js';
import { RunSession, type SessionParts } from './run-session.js';

/**
 * The group that measures and judges: each run in order, under one owner, many runs at a time, because most of them only
 * wait for their measurement. Long measurements keep their lease; everything that was found is in ClickHouse and on the bus before the position is committed.
 */
export function createJudgeGroup(parts: SessionParts): GroupWorker {
  return new GroupWorker(
    parts,
    { stream: 'records', group: 'judge', leaseMs: 30_000, concurrency: 64, take: { maxMessages: 500, maxBytes: 1024 * 1024 } },
    (work) => new RunSession(parts, work).run(),
  );
}
