import type { DType, Graph } from '#graph/index.js';

/** A tensor where the executor keeps it; opaque to everybody else. */
export interface DeviceTensor {
  readonly bytes: number;
}

/** Runs graphs. One contract for all executors: a model above it does not know which one it has. */
export interface Executor<T extends DeviceTensor = DeviceTensor> {
  /** `ort-cpu`, `reference` … */
  readonly name: string;
  /** Its tensors are arrays of this process: to look at one and to make one of an array costs nothing. */
  readonly inHostMemory?: boolean;
  /** Lays constant operands of matrix products out once, when a graph is compiled, and not in each run. */
  readonly packsConstants?: boolean;
  /** May share memory with `data`, which must not change while the tensor is in use. Of `float32` unless it is said otherwise. */
  upload(shape: readonly number[], data: HostData, dtype?: DType): T;
  /** Row-major numbers, whatever the dtype; may share memory with the tensor. */
  download(tensor: T): Promise<Float32Array | Float64Array>;
  /** Gives back the memory of a tensor that nobody uses any more. A tensor that is never released lives as long as its executor. */
  release(tensor: T): void;
  compile(graph: Graph, options?: CompileOptions): Promise<Program<T>>;
  close(): Promise<void>;
}

export interface CompileOptions {
  /** One of many that run now and then: what it computes with is given back after each run. */
  readonly seldom?: boolean;
}

/** Numbers as a probe set or a snapshot has them; whole numbers and truth values in any of these. */
export type HostData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

export interface Program<T extends DeviceTensor = DeviceTensor> {
  /**
   * Every input of the graph by its name; answers every output by its name, as tensors of their own. An output that `into` has
   * an array for may be written there, which saves a copy where tensors are arrays of this process.
   */
  run(inputs: Readonly<Record<string, T>>, into?: Readonly<Record<string, Float32Array>>): Promise<Readonly<Record<string, T>>>;
  close(): Promise<void>;
}

/** The output `name` of a run; a missing one is a bug. */
export function output<T>(outputs: Readonly<Record<string, T>>, name: string): T {
  const value = outputs[name];
  if (value === undefined) throw new Error(`The program gave no output '${name}'`);
  return value;
}
