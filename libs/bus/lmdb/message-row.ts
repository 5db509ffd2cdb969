import type { Message } from '../bus.js';

const headerBytes = 14;

/** Row of `messages`: time (f64), subject number (u32), length of the id (u16), id, body. */
export function encodeMessage(timeMs: number, subject: number, id: Buffer, body: Uint8Array): Buffer {
  const row = Buffer.allocUnsafe(headerBytes + id.length + body.length);
  row.writeDoubleBE(timeMs, 0);
  row.writeUInt32BE(subject, 8);
  row.writeUInt16BE(id.length, 12);
  id.copy(row, headerBytes);
  row.set(body, headerBytes + id.length);
  return row;
}

export function subjectOf(row: Buffer): number {
  return row.readUInt32BE(8);
}

export function timeOf(row: Buffer): number {
  return row.readDoubleBE(0);
}

export function decodeMessage(row: Buffer, position: number, subject: string): Message {
  const idEnd = headerBytes + row.readUInt16BE(12);
  return {
    subject,
    id: row.toString('utf8', headerBytes, idEnd),
    body: row.subarray(idEnd),
    position,
    timeMs: timeOf(row),
  };
}
