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

export const sizeOfSlots = ({ pieces, pieceLength }: PieceLayout, count: number): number => pieces * count * pieceLength;

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

/** A copy of the vector at place `from`. */
export function vectorAt({ size, pieces, pieceLength }: PieceLayout, source: Slots, from: number): Float32Array {
  const whole = new Float32Array(size);
  for (let piece = 0; piece < pieces; piece++) {
    const start = (piece * source.count + from) * pieceLength;
    const length = Math.min(pieceLength, size - piece * pieceLength);
    whole.set(source.data.subarray(start, start + length), piece * pieceLength);
  }
  return whole;
}
