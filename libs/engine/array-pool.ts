/** Of arrays that nobody uses: more is given back to the system. */
const maxBytes = 256 * 2 ** 20;

/**
 * Arrays that were used before. Fresh memory is dear: the system clears each of its pages when it is touched first, which takes
 * longer than to copy a vector into it.
 */
export class ArrayPool {
  readonly #free = new Map<number, Float32Array[]>();
  #bytes = 0;

  /** With whatever numbers were there before. */
  take(length: number): Float32Array {
    const array = this.#free.get(length)?.pop();
    if (array === undefined) return new Float32Array(length);
    this.#bytes -= array.byteLength;
    return array;
  }

  /** The giver must not use it any more. */
  give(array: Float32Array): void {
    if (this.#bytes + array.byteLength > maxBytes) return;
    this.#bytes += array.byteLength;
    const others = this.#free.get(array.length);
    if (others === undefined) this.#free.set(array.length, [array]);
    else others.push(array);
  }

  clear(): void {
    this.#free.clear();
    this.#bytes = 0;
  }
}
