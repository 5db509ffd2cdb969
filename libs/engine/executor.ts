import type { Graph } from '#graph/index.js';

/** A tensor where the executor keeps it; opaque to everybody else. */
export interface DeviceTensor {
  readonly bytes: number;
}

/** Runs graphs. One contract for all executors: a model above it does not know which one it has. */
export interface Executor<T extends DeviceTensor = DeviceTensor> {
  /** `ort-cpu`, `reference` … */
  readonly name: string;
  /** May share memory with `data`, which must not change while the tensor is in use. */
  upload(shape: readonly number[], data: Float32Array): T;
  /** Row-major; may share memory with the tensor. */
  download(tensor: T): Float32Array | Float64Array;
  compile(graph: Graph): Promise<Program<T>>;
}

export interface Program<T extends DeviceTensor = DeviceTensor> {
  /** Every input of the graph by its name; answers every output by its name. */
  run(inputs: Readonly<Record<string, T>>): Promise<Readonly<Record<string, T>>>;
  close(): Promise<void>;
}

/** The output `name` of a run; a missing one is a bug. */
export function output<T>(outputs: Readonly<Record<string, T>>, name: string): T {
  const value = outputs[name];
  if (value === undefined) throw new Error(`The program gave no output '${name}'`);
  return value;
}
