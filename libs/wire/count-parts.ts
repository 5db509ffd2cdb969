import { Type } from 'protobufjs';
import { SafeReader } from './safe-reader.js';

/**
 * Of one message: each becomes an object or a text of its own, and is two bytes on the wire at least. Far more than the
 * tensors of a model or the records that a probe sends together, and a tenth of a second.
 */
export const maxParts = 2 ** 17;

const lengthDelimited = 2;

/** Refuses a message that would become very many objects, before it does. Throws a RangeError. */
export function checkParts(type: Type, bytes: Uint8Array): void {
  // Fewer bytes cannot hold so many.
  if (bytes.length >= 2 * maxParts) count(type, new SafeReader(bytes), bytes.length, 0);
}

/** The depth of calls is that of the schema, in which no message holds itself. */
function count(type: Type, reader: SafeReader, end: number, before: number): number {
  let parts = before;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if ((tag & 7) !== lengthDelimited) {
      reader.skipType(tag & 7);
      continue;
    }
    if (++parts > maxParts) throw new RangeError(`it has more than ${maxParts} parts`);
    const stop = reader.uint32() + reader.pos;
    if (stop > end) throw new RangeError('a part runs past the end of its message');
    const inner = type.fieldsById[tag >>> 3]?.resolvedType;
    if (inner instanceof Type) parts = count(inner, reader, stop, parts);
    else reader.pos = stop;
  }
  return parts;
}
