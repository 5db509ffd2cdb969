import type { ScalarRow } from '#store/rows.js';
import type { Envelope } from '#wire/generated/messages.js';

/** The rows of one envelope; none when it carries no scalars. The key says where in the record a point stood. */
export function scalarRows(envelope: Envelope): readonly ScalarRow[] {
  const { record } = envelope;
  const batch = record?.scalars;
  if (record === undefined || batch === undefined) return [];
  const { runId: run, attempt, rank, receivedTimeMs: timeMs } = envelope;
  const { sequence } = record;
  return batch.values.map((value, index) => ({
    run,
    attempt,
    rank,
    sequence,
    index,
    step: batch.steps[index]!,
    name: batch.names[batch.nameIndex[index]!]!,
    value,
    timeMs,
  }));
}
