/** Binary keys and rows. Integers are big-endian, so the order of the bytes is the order of the numbers. */

const high = 2 ** 32;

export function writePosition(target: Buffer, position: number, offset: number): void {
  target.writeUInt32BE(Math.floor(position / high), offset);
  target.writeUInt32BE(position % high, offset + 4);
}

export function readPosition(source: Buffer, offset: number): number {
  return source.readUInt32BE(offset) * high + source.readUInt32BE(offset + 4);
}

export function streamKey(stream: number): Buffer {
  const key = Buffer.allocUnsafe(2);
  key.writeUInt16BE(stream, 0);
  return key;
}

export function numberKey(value: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(value, 0);
  return key;
}

/** `messages`: stream, position. */
export function messageKey(stream: number, position: number): Buffer {
  const key = Buffer.allocUnsafe(10);
  key.writeUInt16BE(stream, 0);
  writePosition(key, position, 2);
  return key;
}

/** `marks`: stream, subject; also the prefix of `index` and `ids`. */
export function subjectKey(stream: number, subject: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  key.writeUInt16BE(stream, 0);
  key.writeUInt32BE(subject, 2);
  return key;
}

/** `index`: stream, subject, position. */
export function indexKey(stream: number, subject: number, position: number): Buffer {
  const key = Buffer.allocUnsafe(14);
  key.writeUInt16BE(stream, 0);
  key.writeUInt32BE(subject, 2);
  writePosition(key, position, 6);
  return key;
}

/** `ids`: stream, subject, message id. */
export function idKey(stream: number, subject: number, id: Buffer): Buffer {
  const key = Buffer.allocUnsafe(6 + id.length);
  key.writeUInt16BE(stream, 0);
  key.writeUInt32BE(subject, 2);
  id.copy(key, 6);
  return key;
}

/** `progress` and `states`: stream, group, subject. */
export function progressKey(stream: number, group: number, subject: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt16BE(stream, 0);
  key.writeUInt16BE(group, 2);
  key.writeUInt32BE(subject, 4);
  return key;
}

/** `dead`: stream, group, subject, position. */
export function deadKey(stream: number, group: number, subject: number, position: number): Buffer {
  const key = Buffer.allocUnsafe(16);
  progressKey(stream, group, subject).copy(key);
  writePosition(key, position, 8);
  return key;
}

/** `meta`: a stream's groups, each by its name behind this. */
export function groupsPrefix(stream: number): Buffer {
  return Buffer.concat([Buffer.from('group/'), streamKey(stream), Buffer.from('/')]);
}

/** The first key after all keys that begin with `prefix`; no prefix of ours is all 0xff. */
export function after(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    if (end[i] !== 0xff) {
      end[i]! += 1;
      return end.subarray(0, i + 1);
    }
  }
  throw new RangeError('a prefix of 0xff only has no end');
}
