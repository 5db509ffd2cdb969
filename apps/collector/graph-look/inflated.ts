import { pipeline, Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import type { RangeReader } from './npz-header.js';

/** Where an entry of an archive lies in its file. */
export interface Packed {
  readonly file: RangeReader;
  readonly start: number;
  readonly compressedBytes: number;
  readonly isDeflated: boolean;
}

const partBytes = 1024 ** 2;

/** The entry's bytes part by part. Throws a RangeError as soon as there are more than `mostBytes`. */
export async function* inflated(packed: Packed, mostBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const part of packed.isDeflated ? unpacked(packed) : partsOf(packed)) {
    bytes += part.length;
    if (bytes > mostBytes) throw new RangeError(`it has more than the ${mostBytes} bytes that it says`);
    yield part;
  }
}

/** Errors reach whoever reads, by the stream itself. */
const unpacked = (packed: Packed): AsyncIterable<Buffer> =>
  pipeline(Readable.from(partsOf(packed)), createInflateRaw({ chunkSize: partBytes }), () => undefined);

async function* partsOf({ file, start, compressedBytes }: Packed): AsyncGenerator<Buffer> {
  for (let at = 0; at < compressedBytes; at += partBytes) {
    yield await file.read(start + at, Math.min(partBytes, compressedBytes - at));
  }
}
