/**
 * How vectors lie in a tensor: `[pieces, vectors, pieceLength]`, the last piece filled up with zeros. Inner products are then
 * matrix products of each piece, which every executor has fast, and their sum over the pieces is made in double precision.
 */
export interface PieceLayout {
  readonly size: number;
  readonly pieces: number;
  readonly pieceLength: number;
}

/** A sum of so many float32 products has an error of a few 1e-7; the number of pieces stays small enough to add them up here. */
const longestPiece = 2048;

export function pieceLayout(size: number): PieceLayout {
  const pieceLength = Math.max(1, Math.min(size, longestPiece));
  return { size, pieceLength, pieces: Math.ceil(size / pieceLength) };
}

type Numbers = Float32Array | Float64Array;

/** Vectors that lie in one tensor. */
export interface Slots {
  readonly data: Numbers;
  readonly count: number;
}

export const slotsFor = ({ pieces, pieceLength }: PieceLayout, count: number): Slots & { readonly data: Float32Array } => ({
  data: new Float32Array(pieces * count * pieceLength),
  count,
});

/** Copies vector `from` of one tensor to place `to` of another. */
export function moveVector({ pieces, pieceLength }: PieceLayout, source: Slots, from: number, target: Slots, to: number): void {
  for (let piece = 0; piece < pieces; piece++) {
    const start = (piece * source.count + from) * pieceLength;
    target.data.set(source.data.subarray(start, start + pieceLength), (piece * target.count + to) * pieceLength);
  }
}

/** Copies numbers of a flat vector, which lie from `offset` on, to place `to`. */
export function writePart({ pieceLength }: PieceLayout, part: Numbers, offset: number, target: Slots, to: number): void {
  for (let done = 0; done < part.length;) {
    const piece = Math.floor((offset + done) / pieceLength);
    const within = offset + done - piece * pieceLength;
    const count = Math.min(pieceLength - within, part.length - done);
    target.data.set(part.subarray(done, done + count), (piece * target.count + to) * pieceLength + within);
    done += count;
  }
}

/** The vector at place `from`; of a tensor with one vector a view and no copy. */
export function vectorAt(layout: PieceLayout, source: Slots, from: number): Float32Array {
  const { size } = layout;
  if (source.count === 1 && source.data instanceof Float32Array) return source.data.subarray(0, size);
  const whole = slotsFor(layout, 1);
  moveVector(layout, source, from, whole, 0);
  return whole.data.subarray(0, size);
}
