/**
 * CityHash128 as ClickHouse froze it for its compressed blocks: version 1.0.2 of Google's CityHash (Pike and Alakuijala,
 * 2011), which later versions do not agree with.
 */
const k0 = 0xc3a5c85c97cb3127n;
const k1 = 0xb492b66fbe98f273n;
const k2 = 0x9ae16a3b2f90404fn;
const k3 = 0xc949d7c7509e6557n;
const kMul = 0x9ddfea08eb382d69n;

type Pair = readonly [low: bigint, high: bigint];

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, shift: bigint): bigint => (value >> shift) | u64(value << (64n - shift));
const shiftMix = (value: bigint): bigint => value ^ (value >> 47n);

/** The 16 bytes in the order in which they stand before a block. */
export function cityHash128(bytes: Uint8Array): Buffer {
  const [low, high] = hash(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(low, 0);
  out.writeBigUInt64LE(high, 8);
  return out;
}

function hash(view: DataView): Pair {
  const length = view.byteLength;
  if (length >= 16) return withSeed(view, 16, [word(view, 0) ^ k3, word(view, 8)]);
  if (length >= 8) return withSeed(view, length, [word(view, 0) ^ u64(BigInt(length) * k0), word(view, length - 8) ^ k1]);
  return withSeed(view, 0, [k0, k1]);
}

function word(view: DataView, at: number): bigint {
  return view.getBigUint64(at, true);
}

/** What stands from `from` on. */
function withSeed(view: DataView, from: number, seed: Pair): Pair {
  const length = view.byteLength - from;
  if (length < 128) return murmur(view, from, seed);
  let [x, y] = seed;
  let z = u64(BigInt(length) * k1);
  let vLow = u64(rotate(y ^ k1, 49n) * k1 + word(view, from));
  let vHigh = u64(rotate(vLow, 42n) * k1 + word(view, from + 8));
  let wLow = u64(rotate(u64(y + z), 35n) * k1 + x);
  let wHigh = u64(rotate(u64(x + word(view, from + 88)), 53n) * k1);
  let at = from;
  for (; view.byteLength - at >= 128; at += 128) {
    for (const half of [at, at + 64]) {
      x = u64(rotate(u64(x + y + vLow + word(view, half + 16)), 37n) * k1) ^ wHigh;
      y = u64(rotate(u64(y + vHigh + word(view, half + 48)), 42n) * k1) ^ vLow;
      z = rotate(z ^ wLow, 33n);
      [vLow, vHigh] = weakHash(view, half, u64(vHigh * k1), u64(x + wLow));
      [wLow, wHigh] = weakHash(view, half + 32, u64(z + wHigh), y);
      [x, z] = [z, x];
    }
  }
  y = u64(y + rotate(wLow, 37n) * k0 + z);
  x = u64(x + rotate(u64(vLow + z), 49n) * k0);
  // Up to four pieces of 32 bytes, from the end.
  for (let done = 32; done - 32 < view.byteLength - at; done += 32) {
    const piece = view.byteLength - done;
    y = u64(rotate(u64(y - x), 42n) * k0 + vHigh);
    wLow = u64(wLow + word(view, piece + 16));
    x = u64(rotate(x, 49n) * k0 + wLow);
    wLow = u64(wLow + vLow);
    [vLow, vHigh] = weakHash(view, piece, vLow, vHigh);
  }
  x = hash16(x, vLow);
  y = hash16(y, wLow);
  return [u64(hash16(u64(x + vHigh), wHigh) + y), hash16(u64(x + wHigh), u64(y + vHigh))];
}

function murmur(view: DataView, from: number, seed: Pair): Pair {
  const length = view.byteLength - from;
  let [a, b] = seed;
  let c: bigint;
  let d: bigint;
  if (length <= 16) {
    a = u64(shiftMix(u64(a * k1)) * k1);
    c = u64(b * k1 + shortHash(view, from));
    d = shiftMix(u64(a + (length >= 8 ? word(view, from) : c)));
  } else {
    c = hash16(u64(word(view, view.byteLength - 8) + k1), a);
    d = hash16(u64(b + BigInt(length)), u64(c + word(view, view.byteLength - 16)));
    a = u64(a + d);
    for (let at = from; at < view.byteLength - 16; at += 16) {
      a = u64((a ^ u64(shiftMix(u64(word(view, at) * k1)) * k1)) * k1);
      b ^= a;
      c = u64((c ^ u64(shiftMix(u64(word(view, at + 8) * k1)) * k1)) * k1);
      d ^= c;
    }
  }
  a = hash16(a, c);
  b = hash16(d, b);
  return [a ^ b, hash16(b, a)];
}

/** Of at most 16 bytes. */
function shortHash(view: DataView, from: number): bigint {
  const length = view.byteLength - from;
  if (length > 8) {
    const last = word(view, view.byteLength - 8);
    return hash16(word(view, from), rotate(u64(last + BigInt(length)), BigInt(length))) ^ last;
  }
  if (length >= 4) {
    const first = BigInt(view.getUint32(from, true));
    return hash16(u64(BigInt(length) + (first << 3n)), BigInt(view.getUint32(view.byteLength - 4, true)));
  }
  if (length === 0) return k2;
  const y = BigInt(view.getUint8(from) + (view.getUint8(from + (length >> 1)) << 8));
  const z = BigInt(length + (view.getUint8(view.byteLength - 1) << 2));
  return u64(shiftMix(u64(y * k2) ^ u64(z * k3)) * k2);
}

function hash16(low: bigint, high: bigint): bigint {
  const a = shiftMix(u64((low ^ high) * kMul));
  return u64(shiftMix(u64((high ^ a) * kMul)) * kMul);
}

function weakHash(view: DataView, at: number, seedA: bigint, seedB: bigint): Pair {
  const z = word(view, at + 24);
  const a = u64(seedA + word(view, at));
  const b = rotate(u64(seedB + a + z), 21n);
  const sum = u64(a + word(view, at + 8) + word(view, at + 16));
  return [u64(sum + z), u64(b + rotate(sum, 44n) + a)];
}
