/** One session of ONNX Runtime on the CPU, which reads arrays and writes its results into arrays. */
import { exportOnnx, fixedSize, isFree, type DType, type Graph, type GraphOutput } from '#graph/index.js';
import { elementTypes } from '#graph/onnx/export.js';
import { examplesOf, resolveShape } from '#graph/shapes.js';
import type { NameList, OrtLibrary } from './ort-library.js';
import type { HostNumbers } from './ort-tensors.js';

export interface HostArray {
  readonly shape: readonly number[];
  readonly data: HostNumbers;
  readonly dtype: DType;
}

const makers: Readonly<Record<DType, (length: number) => HostNumbers>> = {
  float32: (length) => new Float32Array(length),
  int64: (length) => new BigInt64Array(length),
  bool: (length) => new Uint8Array(length),
};

export class OrtSession {
  readonly #library: OrtLibrary;
  readonly #session: bigint | number;
  readonly #graph: Graph;
  /** ONNX Runtime answers an input that is an output too as it came, wherever its place is. */
  readonly #made: readonly GraphOutput[];
  /** The inputs that the optimiser left. */
  readonly #inputs: readonly string[];
  readonly #inputNames: NameList;
  readonly #outputNames: NameList;
  #isOpen = true;

  constructor(library: OrtLibrary, graph: Graph, threads: number | undefined, keepsMemory = true) {
    this.#library = library;
    this.#session = library.createSession(exportOnnx(graph), threads, keepsMemory);
    this.#graph = graph;
    const names = new Set(graph.inputs.map(({ name }) => name));
    this.#made = graph.outputs.filter(({ name }) => !names.has(name));
    this.#inputs = library.inputNames(this.#session);
    this.#inputNames = library.names(this.#inputs);
    this.#outputNames = library.names(this.#made.map(({ name }) => name));
  }

  run(inputs: Readonly<Record<string, HostArray>>, into: Readonly<Record<string, Float32Array>> = {}): Record<string, HostArray> {
    if (!this.#isOpen) throw new Error('The session was closed');
    const given = this.#inputs.map((name) => arrayNamed(name, inputs));
    const examples = this.#examplesIn(inputs);
    const results = this.#made.map(({ name, dtype, shape }): HostArray => {
      const fixed = resolveShape(shape, examples);
      return { shape: fixed, data: into[name] ?? makers[dtype](fixedSize(fixed)), dtype };
    });
    const lent: bigint[] = [];
    try {
      for (const array of [...given, ...results]) lent.push(this.#lend(array));
      this.#library.run(
        this.#session,
        { names: this.#inputNames, values: BigUint64Array.from(lent.slice(0, given.length)) },
        { names: this.#outputNames, values: BigUint64Array.from(lent.slice(given.length)) },
      );
    } finally {
      for (const value of lent) this.#library.releaseValue(value);
    }
    const made = new Map(this.#made.map(({ name }, i) => [name, results[i]!]));
    return Object.fromEntries(this.#graph.outputs.map(({ name }) => [name, made.get(name) ?? copyOf(arrayNamed(name, inputs))]));
  }

  #examplesIn(inputs: Readonly<Record<string, HostArray>>): number | undefined {
    const input = this.#graph.inputs.find(({ name, shape }) => name in inputs && shape.some(isFree));
    return input && examplesOf(input.shape, inputs[input.name]!.shape);
  }

  #lend({ data, shape, dtype }: HostArray): bigint {
    return this.#library.createValue(data, BigInt64Array.from(shape, BigInt), elementTypes[dtype]);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#library.releaseSession(this.#session);
  }
}

function arrayNamed(name: string, inputs: Readonly<Record<string, HostArray>>): HostArray {
  const array = inputs[name];
  if (array === undefined) throw new Error(`The input '${name}' is missing`);
  return array;
}

const copyOf = (array: HostArray): HostArray => ({ ...array, data: array.data.slice() });
