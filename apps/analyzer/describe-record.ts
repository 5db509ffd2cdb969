import { decodeEnvelope } from '#wire/envelope.js';

/** One line on what a message of the stream `records` holds; that it cannot be read is a description too. */
export function describeRecord(bytes: Uint8Array): string {
  try {
    const { attempt, rank, record, attached, model, presence, sequenceGap } = decodeEnvelope(bytes);
    const place = `attempt ${attempt}, rank ${rank}`;
    if (attached !== undefined) return `the attachment of a job, ${place}`;
    if (model !== undefined) return `the description of a model, ${place}`;
    if (presence !== undefined) return `a sign of presence (${presence.state}), ${place}`;
    if (sequenceGap !== undefined) return `a gap in the sequence, ${place}`;
    if (record === undefined) return `nothing, ${place}`;
    const points = record.scalars?.values.length;
    const what = points === undefined ? record.body : `${points} points of ${record.scalars!.names.length} names`;
    return `${what ?? 'no body'} at step ${record.step}, sequence ${record.sequence}, ${place}`;
  } catch (error) {
    return `${bytes.byteLength} bytes that are no record (${error instanceof Error ? error.message : String(error)})`;
  }
}
