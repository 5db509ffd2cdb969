import { maxParts } from './count-parts.js';
import { codec, decodeRaw, MalformedMessage } from './codec.js';
import type { Record as WireRecord, StreamHello } from './generated/messages.js';
import { messageType } from './proto-root.js';
import { SafeReader } from './safe-reader.js';
import { varint } from './varint.js';

/** A record with the bytes it came in, so that it can travel on without being written again. */
export interface RawRecord {
  readonly bytes: Buffer;
  /** Read-only view; unset fields are found on its prototype, so it must not be spread. */
  readonly record: Readonly<WireRecord>;
}

/** What one message of StreamRecords carries. `wireBytes` is its size on the wire. */
export type RecordsMessage =
  | { readonly kind: 'hello'; readonly hello: StreamHello; readonly wireBytes: number }
  | { readonly kind: 'batch'; readonly records: readonly RawRecord[]; readonly wireBytes: number }
  | { readonly kind: 'empty'; readonly wireBytes: number };

const lengthDelimited = 2;

/** Reads a StreamRecordsRequest, keeping the bytes of each record. Throws {@link MalformedMessage}. */
export function decodeRecordsMessage(bytes: Buffer): RecordsMessage {
  const wireBytes = bytes.length;
  let message: RecordsMessage = { kind: 'empty', wireBytes };
  for (const field of fields(bytes, 'StreamRecordsRequest')) {
    if (field.number === 1) message = { kind: 'hello', hello: codec('StreamHello').decode(field.bytes), wireBytes };
    if (field.number === 2) message = { kind: 'batch', records: decodeBatch(field.bytes), wireBytes };
  }
  return message;
}

function decodeBatch(bytes: Buffer): RawRecord[] {
  const type = messageType('Record');
  const records: RawRecord[] = [];
  for (const field of fields(bytes, 'RecordBatch')) {
    if (field.number !== 1) continue;
    if (records.length >= maxParts) throw new MalformedMessage(`not a RecordBatch: it has more than ${maxParts} records`);
    records.push({ bytes: field.bytes, record: decodeRaw(type, field.bytes) as unknown as WireRecord });
  }
  return records;
}

/** A StreamRecordsRequest around records that are serialized already. */
export function encodeRecordsMessage(records: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const record of records) {
    const prefix = Buffer.concat([Buffer.of((1 << 3) | lengthDelimited), varint(record.length)]);
    parts.push(prefix, record);
    length += prefix.length + record.length;
  }
  return Buffer.concat([Buffer.of((2 << 3) | lengthDelimited), varint(length), ...parts]);
}

function* fields(bytes: Buffer, name: string): Generator<{ readonly number: number; readonly bytes: Buffer }> {
  const reader = new SafeReader(bytes);
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if ((tag & 7) === lengthDelimited) {
        yield { number: tag >>> 3, bytes: reader.bytes() as Buffer };
      } else {
        reader.skipType(tag & 7);
      }
    }
  } catch (error) {
    if (error instanceof MalformedMessage) throw error;
    throw new MalformedMessage(`not a ${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
