export interface ClassRange {
  readonly minClass?: number;
  readonly maxClass?: number;
}

const itemBytes = 8;

/** The smallest and the largest class of what comes part by part: 64-bit numbers, low bytes first. */
export async function classRange(parts: AsyncIterable<Buffer>, ignored: number | undefined): Promise<ClassRange> {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let left: Buffer = Buffer.alloc(0);
  for await (const part of parts) {
    const bytes = left.length === 0 ? part : Buffer.concat([left, part]);
    const whole = bytes.length - (bytes.length % itemBytes);
    for (let at = 0; at < whole; at += itemBytes) {
      const value = classAt(bytes, at);
      if (value === ignored) continue;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    left = bytes.subarray(whole);
  }
  return min > max ? {} : { minClass: min, maxClass: max };
}

/** Nearly all classes fit 32 bits, which are read much faster. */
function classAt(bytes: Buffer, at: number): number {
  const low = bytes.readInt32LE(at);
  return bytes.readInt32LE(at + 4) === low >> 31 ? low : Number(bytes.readBigInt64LE(at));
}
