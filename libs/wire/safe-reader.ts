import { BufferReader } from 'protobufjs';

/**
 * Reads 64-bit integers as plain numbers and refuses those that a number cannot hold (beyond 2^53 - 1); everything
 * else as protobufjs does. Saves an object a number, and a rounded step never passes for a true one.
 */
export class SafeReader extends BufferReader {
  constructor(bytes: Uint8Array) {
    super(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.discardUnknown = true;
  }

  // The declared return type is Long, which these replace: what a decoder stores is what they return.
  override uint64(): never {
    return this.readVarint(false) as never;
  }

  override int64(): never {
    return this.readVarint(true) as never;
  }

  private readVarint(signed: boolean): number {
    const { buf, len } = this;
    const start = this.pos;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (start + i >= len) throw new RangeError('a number runs past the end of its message');
      const byte = buf[start + i]!;
      if (byte < 128) {
        this.pos = start + i + 1;
        value += byte * scale;
        if (value <= Number.MAX_SAFE_INTEGER) return value;
        return this.readWide(start, i + 1, signed);
      }
      value += (byte & 127) * scale;
      scale *= 128;
    }
    throw new RangeError('a number is longer than ten bytes');
  }

  /** Negative numbers take ten bytes; exact arithmetic tells them from what is too large. */
  private readWide(start: number, bytes: number, signed: boolean): number {
    let wide = 0n;
    for (let i = bytes - 1; i >= 0; i--) wide = (wide << 7n) | BigInt(this.buf[start + i]! & 127);
    const value = Number(signed ? BigInt.asIntN(64, wide) : wide);
    if (Number.isSafeInteger(value)) return value;
    throw new RangeError(`the integer ${signed ? BigInt.asIntN(64, wide) : wide} is larger than 2^53 - 1`);
  }
}
