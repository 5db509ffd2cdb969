/** A linear map of CRCs over GF(2): what each bit becomes. */
type BitMap = readonly number[];

const bits = Array.from({ length: 32 }, (_, bit) => (1 << bit) >>> 0);
/** One zero bit behind a message: a shift, and the polynomial where a bit falls out. */
const zeroBit: BitMap = [0xedb88320, ...bits.slice(0, 31)];

/**
 * CRC-32 of two pieces from the CRCs of each, so that no byte is summed twice. Zeros behind a message are a linear map of
 * its CRC; the CRC of both is that of the first with so many zeros, plus the second.
 */
export class CrcJoin {
  /** Chunks of one upload have one length, but for the last. */
  private length = 0;
  private zeros: BitMap = bits;

  append(first: number, second: number, secondLength: number): number {
    if (secondLength !== this.length) {
      this.length = secondLength;
      this.zeros = zeroBytes(secondLength);
    }
    return (times(this.zeros, first) ^ second) >>> 0;
  }
}

/** By squaring: a length has no more than 53 bits. */
function zeroBytes(length: number): BitMap {
  let result: BitMap = bits;
  let power = after(after(after(zeroBit)));
  for (let left = length; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = result.map((column) => times(power, column));
    power = after(power);
  }
  return result;
}

/** The map twice. */
function after(map: BitMap): BitMap {
  return map.map((column) => times(map, column));
}

function times(map: BitMap, crc: number): number {
  let sum = 0;
  for (let bit = 0, left = crc >>> 0; left !== 0; bit++, left >>>= 1) {
    if ((left & 1) === 1) sum ^= map[bit]!;
  }
  return sum >>> 0;
}
