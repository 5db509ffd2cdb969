import { checkProbeSet, inputsOf, isFree, oneHot, type DType, type Graph, type GraphInput } from '#graph/index.js';
import { StagewatchError } from '#runtime/errors.js';
import type { HostData } from './executor.js';
import { translated } from './graph-errors.js';
import type { NpyArray } from './npy.js';
import { readNpz } from './npz.js';

/** The fixed examples that a model is measured on. Somebody's training data: never logged. */
export interface ProbeSet {
  readonly x: NpyArray;
  /** Class indices, or targets. */
  readonly y: NpyArray;
  /** Of a model with several data inputs: their arrays by name; `x` is the first of them. */
  readonly inputs?: Readonly<Record<string, NpyArray>>;
}

/** Examples as a training graph takes them. */
export interface FeedableProbeSet {
  readonly examples: number;
  /** One for each data input and target. */
  readonly inputs: readonly Rows[];
}

/** The examples of one input, as a probe set holds them. */
export interface Rows {
  /** Name of the graph's input. */
  readonly name: string;
  readonly dtype: DType;
  /** As the graph takes it, without the number of examples. */
  readonly shape: readonly number[];
  /** Numbers of one example, as they are held. */
  readonly rowSize: number;
  readonly data: HostData;
  /** From what is held to what the graph takes, where that is larger: one-hot rows of class indices. */
  readonly encode?: (data: HostData) => HostData;
}

/** The numbers of some examples as the graph takes them. */
export function partOf({ data, rowSize, encode }: Rows, from: number, to: number): HostData {
  const part = data.subarray(from * rowSize, to * rowSize);
  return encode === undefined ? part : encode(part);
}

/** The same input with these examples only, in this order. */
export function pickRows(rows: Rows, places: readonly number[]): Rows {
  const { data, rowSize } = rows;
  const picked = new (data.constructor as new (length: number) => HostData)(places.length * rowSize);
  for (const [i, place] of places.entries()) {
    (picked as Float32Array).set(data.subarray(place * rowSize, (place + 1) * rowSize) as Float32Array, i * rowSize);
  }
  return { ...rows, data: picked };
}

/** From an .npz file with `x` and `y`; a model with several data inputs has arrays of their names, of which `x` may be the first. */
export function readProbeSet(bytes: Uint8Array, inputNames: readonly string[] = []): ProbeSet {
  const names = inputNames.length > 1 ? inputNames : [];
  const arrays = readNpz(bytes, { wanted: ['x', 'y', ...names] });
  const [x, y] = [arrays.get('x') ?? arrays.get(names[0] ?? 'x'), arrays.get('y')];
  if (x === undefined || y === undefined) {
    throw new StagewatchError('PROBE_SET_MISMATCH', 'The probe set needs two arrays, x and y', {
      field: x === undefined ? 'x' : 'y',
      value: [...arrays.keys()].join(', '),
      expected: 'an .npz file with x and y',
    });
  }
  const inputs = Object.fromEntries(names.flatMap((name) => (arrays.has(name) ? [[name, arrays.get(name)!]] : [])));
  return names.length === 0 ? { x, y } : { x, y, inputs };
}

/** Throws a StagewatchError when the probe set does not fit the training graph. */
export function toFeedable(training: Graph, { x, y, inputs = {} }: ProbeSet): FeedableProbeSet {
  const data = inputsOf(training, 'data');
  const [target] = inputsOf(training, 'target');
  const classes = target !== undefined && target.encoding !== 'values';
  const range = classes && isInteger(y) ? extremes(y.data, target.ignoredClass) : undefined;
  translated(() =>
    checkProbeSet(training, {
      xShape: x.shape,
      xDtype: dtypeOf(x),
      inputs: Object.fromEntries(
        Object.entries(inputs).map(([name, array]) => [name, { shape: array.shape, dtype: dtypeOf(array) }]),
      ),
      yShape: y.shape,
      yDtype: dtypeOf(y),
      ...(range === undefined ? {} : { minClass: range[0], maxClass: range[1] }),
    }),
  );
  const examples = x.shape[0] ?? 0;
  const rows = data.map((input) => rowsOf(input, inputs[input.name] ?? x));
  return { examples, inputs: target === undefined ? rows : [...rows, targetRows(target, y)] };
}

function rowsOf({ name, dtype }: GraphInput, array: NpyArray): Rows {
  const shape = array.shape.slice(1);
  return { name, dtype, shape, rowSize: elements(shape), data: toDtype(array, dtype) };
}

function targetRows({ name, dtype, shape: declared, encoding, classes = 1, ignoredClass }: GraphInput, y: NpyArray): Rows {
  // A target of one output may come without its last axis: the numbers are the same.
  const shape = declared.slice(1).map((dim, axis) => (isFree(dim) ? (y.shape[axis + 1] ?? 1) : dim));
  if (encoding !== 'one-hot') return { name, dtype, shape, rowSize: elements(shape), data: toDtype(y, dtype) };
  const rowSize = elements(y.shape.slice(1));
  return { name, dtype, shape, rowSize, data: y.data, encode: (part) => oneHot(part, classes, ignoredClass) };
}

const elements = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);

const isInteger = ({ dtype }: NpyArray): boolean => dtype !== 'float32' && dtype !== 'float64';
const dtypeOf = (array: NpyArray): string => (isInteger(array) ? 'int64' : 'float32');

function extremes(values: ArrayLike<number | bigint>, ignored: number | undefined): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]!);
    if (value === ignored) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** Once, and not with each chunk: whole numbers are 64 bits wide where graphs take them. */
function toDtype({ data }: NpyArray, dtype: DType): HostData {
  if (dtype === 'int64') return data instanceof BigInt64Array ? data : BigInt64Array.from(data as ArrayLike<number>, BigInt);
  if (dtype === 'bool') return data instanceof Uint8Array ? data : Uint8Array.from(data as ArrayLike<number | bigint>, Number);
  return data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number | bigint>, Number);
}
