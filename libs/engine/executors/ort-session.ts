/** One session of ONNX Runtime on the CPU, which reads arrays and writes its results into arrays. */
import { fixedSize, isFree, type DType, type GraphOutput } from '#graph/index.js';
import { nameList, type NameList, type OrtLibrary } from './ort-library.js';

export type Numbers = Float32Array | BigInt64Array | Uint8Array;

export interface HostArray {
  readonly shape: readonly number[];
  readonly data: Numbers;
  readonly dtype: DType;
}

interface Kind {
  /** As ONNX numbers it. */
  readonly elementType: number;
  readonly make: (length: number) => Numbers;
  readonly over: (bytes: ArrayBuffer) => Numbers;
}

const kinds: Readonly<Record<DType, Kind>> = {
  float32: { elementType: 1, make: (length) => new Float32Array(length), over: (bytes) => new Float32Array(bytes) },
  int64: { elementType: 7, make: (length) => new BigInt64Array(length), over: (bytes) => new BigInt64Array(bytes) },
  bool: { elementType: 9, make: (length) => new Uint8Array(length), over: (bytes) => new Uint8Array(bytes) },
};

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

export class OrtSession {
  readonly #library: OrtLibrary;
  readonly #session: bigint | number;
  readonly #outputs: readonly GraphOutput[];
  /** The inputs that the optimiser left. */
  readonly #inputs: readonly string[];
  readonly #inputNames: NameList;
  readonly #outputNames: NameList;
  #isOpen = true;

  constructor(library: OrtLibrary, model: Uint8Array, outputs: readonly GraphOutput[], threads: number | undefined) {
    this.#library = library;
    this.#session = library.createSession(model, threads);
    this.#outputs = outputs;
    this.#inputs = library.inputNames(this.#session);
    this.#inputNames = nameList(this.#inputs);
    this.#outputNames = nameList(outputs.map(({ name }) => name));
  }

  run(inputs: Readonly<Record<string, HostArray>>, into: Readonly<Record<string, Float32Array>> = {}): Record<string, HostArray> {
    if (!this.#isOpen) throw new Error('The session was closed');
    const lent: bigint[] = [];
    const lend = (array: HostArray): bigint => {
      const value = this.#library.createValue(
        array.data,
        BigInt64Array.from(array.shape, BigInt),
        kinds[array.dtype].elementType,
      );
      lent.push(value);
      return value;
    };
    const values = new BigUint64Array(this.#outputs.length);
    try {
      const given = this.#inputs.map((name) => {
        const array = inputs[name];
        if (array === undefined) throw new Error(`The input '${name}' is missing`);
        return lend(array);
      });
      const places = this.#outputs.map((output) => placeFor(output, into));
      for (const [i, place] of places.entries()) if (place !== undefined) values[i] = lend(place);
      this.#library.run(
        this.#session,
        { names: this.#inputNames, values: BigUint64Array.from(given) },
        { names: this.#outputNames, values },
      );
      for (const [i, place] of places.entries()) if (place === undefined) lent.push(values[i]!);
      return Object.fromEntries(
        this.#outputs.map(({ name, dtype }, i) => [name, places[i] ?? this.#copyOf(values[i]!, dtype)] as const),
      );
    } finally {
      for (const value of lent) this.#library.releaseValue(value);
    }
  }

  #copyOf(value: bigint, dtype: DType): HostArray {
    const { elementType, make, over } = kinds[dtype];
    const found = this.#library.elementTypeOf(value);
    if (found !== elementType) throw new Error(`A result is of ONNX type ${found} instead of ${elementType}`);
    const shape = this.#library.shapeOf(value);
    const data = make(sizeOf(shape));
    if (data.length > 0) (data as Float32Array).set(over(this.#library.bytesOf(value, data.byteLength)) as Float32Array);
    return { shape, data, dtype };
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#library.releaseSession(this.#session);
  }
}

/** Where a result goes whose shape is known before the run. */
function placeFor({ name, dtype, shape }: GraphOutput, into: Readonly<Record<string, Float32Array>>): HostArray | undefined {
  if (shape.some(isFree)) return undefined;
  return { shape: shape.map(Number), data: into[name] ?? kinds[dtype].make(fixedSize(shape)), dtype };
}
