import { codec, type Input } from './codec.js';
import type { Envelope } from './generated/messages.js';
import { varint } from './varint.js';

/** Where an envelope belongs and when the service got it. */
export interface EnvelopeHeader {
  readonly runId: string;
  readonly attempt: number;
  readonly rank: number;
  readonly receivedTimeMs: number;
}

export function encodeEnvelope(envelope: Input<Envelope>): Buffer {
  return codec('Envelope').encode(envelope);
}

/** Throws {@link MalformedMessage}. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  return codec('Envelope').decode(bytes);
}

/** Wraps records that are serialized already, without writing them anew. The header is written once. */
export function recordEnveloper(header: EnvelopeHeader): (record: Uint8Array) => Buffer {
  const prefix = encodeEnvelope({ ...header });
  // Field 5, length-delimited.
  const tag = Buffer.of((5 << 3) | 2);
  return (record) => Buffer.concat([prefix, tag, varint(record.length), record]);
}
