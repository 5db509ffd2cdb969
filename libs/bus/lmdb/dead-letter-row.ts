import type { DeadLetter, Message } from '../bus.js';
import { decodeMessage, encodeMessage } from './message-row.js';

/** Row of `dead`: when (f64), length of the reason (u32), reason, the message's row. */
export function encodeDeadLetter(message: Message, reason: string, timeMs: number): Buffer {
  const text = Buffer.from(reason);
  const head = Buffer.allocUnsafe(12);
  head.writeDoubleBE(timeMs, 0);
  head.writeUInt32BE(text.length, 8);
  return Buffer.concat([head, text, encodeMessage(message.timeMs, 0, Buffer.from(message.id), message.body)]);
}

export function deadLetterTime(row: Buffer): number {
  return row.readDoubleBE(0);
}

export function decodeDeadLetter(row: Buffer, position: number, subject: string): DeadLetter {
  const end = 12 + row.readUInt32BE(8);
  return {
    message: decodeMessage(row.subarray(end), position, subject),
    reason: row.toString('utf8', 12, end),
    timeMs: deadLetterTime(row),
  };
}
