import { Transform, type TransformCallback } from 'node:stream';
import { cityHash128 } from './city-hash.js';
import { lz4Compress, lz4Decompress } from './lz4.js';

/**
 * ClickHouse's compressed blocks: 16 bytes of checksum over what follows, one byte of method, the size of what follows the
 * checksum and the size of the content, both as 32 bits, then the content.
 */
const checksumBytes = 16;
const headerBytes = 9;
const methods = { none: 0x02, lz4: 0x82 } as const;

/** Small enough that a block never keeps the event loop for long. */
const blockBytes = 64 * 1024;

export function encodeBlock(content: Uint8Array): Buffer {
  const packed = lz4Compress(content);
  const body = Buffer.alloc(headerBytes + packed.length);
  body.writeUInt8(methods.lz4, 0);
  body.writeUInt32LE(body.length, 1);
  body.writeUInt32LE(content.length, 5);
  body.set(packed, headerBytes);
  return Buffer.concat([cityHash128(body), body]);
}

/** All blocks of a body, one after the other; throws a `RangeError` for what is none, or more than `maxBytes`. */
export function decodeBlocks(bytes: Buffer, maxBytes: number): Buffer {
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < checksumBytes + headerBytes) throw new RangeError('a block ends within its header');
    const header = at + checksumBytes;
    const packed = bytes.readUInt32LE(header + 1);
    const size = bytes.readUInt32LE(header + 5);
    if (packed < headerBytes || header + packed > bytes.length) throw new RangeError('a block ends too early');
    total += size;
    if (total > maxBytes) throw new RangeError('more content than may be');
    const body = bytes.subarray(header, header + packed);
    if (!cityHash128(body).equals(bytes.subarray(at, header))) throw new RangeError('the checksum of a block is wrong');
    parts.push(contentOf(body, size));
    at = header + packed;
  }
  return Buffer.concat(parts);
}

function contentOf(body: Buffer, size: number): Uint8Array {
  const content = body.subarray(headerBytes);
  if (body[0] === methods.lz4) return lz4Decompress(content, size);
  if (body[0] === methods.none && content.length === size) return content;
  throw new RangeError('only LZ4 is read here');
}

/** A stream in compressed blocks; between two of them others have their turn. */
export class BlockEncoder extends Transform {
  private waiting: Buffer[] = [];
  private waitingBytes = 0;

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    if (this.waitingBytes < blockBytes) return done();
    const bytes = Buffer.concat(this.waiting);
    this.waiting = [];
    this.waitingBytes = 0;
    this.pushBlocks(bytes, 0, done);
  }

  override _flush(done: TransformCallback): void {
    const rest = Buffer.concat(this.waiting);
    if (rest.length > 0) this.push(encodeBlock(rest));
    done();
  }

  private pushBlocks(bytes: Buffer, at: number, done: TransformCallback): void {
    if (at >= bytes.length) return done();
    this.push(encodeBlock(bytes.subarray(at, at + blockBytes)));
    setImmediate(() => this.pushBlocks(bytes, at + blockBytes, done));
  }
}
