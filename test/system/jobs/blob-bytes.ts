import { createRandom } from '#math/random.js';

/** Finite numbers that two processes can make alike: as float32, so that they could be parameters. */
export function blobBytes(bytes: number): Buffer {
  const random = createRandom(11);
  const numbers = Float32Array.from({ length: bytes / 4 }, () => random.uniform());
  return Buffer.from(numbers.buffer);
}
