/**
 * LZ4's block format (Collet, lz4_Block_format.md), compressed greedily: each place is looked up by its next four bytes
 * in a table of the last place that had them.
 */
const minMatch = 4;
/** The last bytes of a block are literals, and no match begins within the last twelve. */
const endLiterals = 5;
const matchLimit = 12;
const maxDistance = 65_535;
const tableBits = 14;

/** The table of one compressor, used again for each block. */
const table = new Int32Array(1 << tableBits);

export function lz4Compress(input: Uint8Array): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const out = new Writer(input.length + Math.ceil(input.length / 255) + 16);
  table.fill(-1);
  let anchor = 0;
  let at = 0;
  while (at < input.length - matchLimit) {
    const four = view.getUint32(at, true);
    const slot = Math.imul(four, 0x9e3779b1) >>> (32 - tableBits);
    const found = table[slot]!;
    table[slot] = at;
    if (found < 0 || at - found > maxDistance || view.getUint32(found, true) !== four) {
      // The longer nothing was found, the larger the steps.
      at += 1 + ((at - anchor) >> 6);
      continue;
    }
    let length = minMatch;
    while (at + length < input.length - endLiterals && input[found + length] === input[at + length]) length++;
    out.sequence(input.subarray(anchor, at), at - found, length);
    at += length;
    anchor = at;
  }
  out.literals(input.subarray(anchor));
  return out.bytes();
}

class Writer {
  private readonly out: Uint8Array;
  private end = 0;

  constructor(capacity: number) {
    this.out = new Uint8Array(capacity);
  }

  sequence(literals: Uint8Array, distance: number, length: number): void {
    const rest = length - minMatch;
    this.token(literals.length, rest);
    this.copy(literals);
    this.out[this.end++] = distance & 0xff;
    this.out[this.end++] = distance >> 8;
    this.more(rest);
  }

  literals(literals: Uint8Array): void {
    this.token(literals.length, 0);
    this.copy(literals);
  }

  bytes(): Uint8Array {
    return this.out.subarray(0, this.end);
  }

  private token(literals: number, rest: number): void {
    this.out[this.end++] = (Math.min(literals, 15) << 4) | Math.min(rest, 15);
    this.more(literals);
  }

  /** What does not fit into the four bits of the token follows in bytes of 255. */
  private more(count: number): void {
    if (count < 15) return;
    let rest = count - 15;
    for (; rest >= 255; rest -= 255) this.out[this.end++] = 255;
    this.out[this.end++] = rest;
  }

  private copy(bytes: Uint8Array): void {
    this.out.set(bytes, this.end);
    this.end += bytes.length;
  }
}

/** Throws a `RangeError` for what is no LZ4 block of so many bytes. */
export function lz4Decompress(input: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  let end = 0;
  const count = (nibble: number): number => {
    let sum = nibble;
    for (let byte = 255; nibble === 15 && byte === 255; sum += byte) byte = next();
    return sum;
  };
  const next = (): number => {
    if (at >= input.length) throw new RangeError('the block ends too early');
    return input[at++]!;
  };
  while (at < input.length) {
    const token = next();
    const literals = count(token >> 4);
    if (at + literals > input.length || end + literals > size) throw new RangeError('literals beyond the block');
    out.set(input.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    if (at === input.length) break;
    const distance = next() | (next() << 8);
    const length = count(token & 15) + minMatch;
    if (distance === 0 || distance > end || end + length > size) throw new RangeError('a match beyond the block');
    for (const stop = end + length; end < stop; end++) out[end] = out[end - distance]!;
  }
  if (end !== size) throw new RangeError('the block is shorter than it says');
  return out;
}
