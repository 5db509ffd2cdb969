/** The vectors that the next measurement starts from, as bytes: their number and length, then float32 numbers. */
const headerBytes = 8;

export function encodeVectors(vectors: readonly Float32Array[]): Uint8Array {
  const length = vectors[0]?.length ?? 0;
  const bytes = Buffer.alloc(headerBytes + 4 * length * vectors.length);
  bytes.writeUInt32LE(vectors.length, 0);
  bytes.writeUInt32LE(length, 4);
  for (const [i, vector] of vectors.entries()) {
    bytes.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), headerBytes + 4 * length * i);
  }
  return bytes;
}

/** None when the bytes are of another model. */
export function decodeVectors(bytes: Uint8Array | undefined, length: number): readonly Float32Array[] {
  if (bytes === undefined || bytes.byteLength < headerBytes) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (view.getUint32(4, true) !== length || bytes.byteLength !== headerBytes + 4 * length * count) return [];
  // Copied: the bytes need not be aligned, and belong to somebody else.
  const numbers = new Float32Array(new Uint8Array(bytes.subarray(headerBytes)).buffer);
  return Array.from({ length: count }, (_, i) => numbers.subarray(i * length, (i + 1) * length));
}
