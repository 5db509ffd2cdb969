import { checkProbeSet, inputsOf, oneHot, type Graph } from '#graph/index.js';
import { StagewatchError } from '#runtime/errors.js';
import { translated } from './graph-errors.js';
import type { NpyArray } from './npy.js';
import { readNpz } from './npz.js';

/** The fixed examples that a model is measured on. Somebody's training data: never logged. */
export interface ProbeSet {
  readonly x: NpyArray;
  /** Class indices `[n]`, or targets. */
  readonly y: NpyArray;
}

/** Examples as a training graph takes them: float32 rows. */
export interface FeedableProbeSet {
  readonly examples: number;
  readonly x: Rows;
  readonly y: Rows;
}

export interface Rows {
  /** Name of the graph's input. */
  readonly name: string;
  /** Without the number of examples. */
  readonly shape: readonly number[];
  readonly rowSize: number;
  readonly data: Float32Array;
}

/** From an .npz file with `x` and `y`. */
export function readProbeSet(bytes: Uint8Array): ProbeSet {
  const arrays = readNpz(bytes, { wanted: ['x', 'y'] });
  const [x, y] = [arrays.get('x'), arrays.get('y')];
  if (x === undefined || y === undefined) {
    throw new StagewatchError('PROBE_SET_MISMATCH', 'The probe set needs two arrays, x and y', {
      field: x === undefined ? 'x' : 'y',
      value: [...arrays.keys()].join(', '),
      expected: 'an .npz file with x and y',
    });
  }
  return { x, y };
}

/** Throws a StagewatchError when the probe set does not fit the training graph. */
export function toFeedable(training: Graph, { x, y }: ProbeSet): FeedableProbeSet {
  const data = inputsOf(training, 'data')[0];
  const target = inputsOf(training, 'target')[0];
  if (data === undefined || target === undefined) throw new Error('A training graph has a data and a target input');
  const classes = target.encoding === 'one-hot';
  const range = classes && isInteger(y) ? extremes(y.data, target.ignoredClass) : undefined;
  translated(() =>
    checkProbeSet(training, {
      xShape: x.shape,
      xDtype: isInteger(x) ? 'int64' : 'float32',
      yShape: y.shape,
      yDtype: isInteger(y) ? 'int64' : 'float32',
      ...(range === undefined ? {} : { minClass: range[0], maxClass: range[1] }),
    }),
  );
  const examples = x.shape[0] ?? 0;
  const targetShape = target.shape.slice(1).map(Number);
  return {
    examples,
    x: rows(data.name, x.shape.slice(1), toFloat32(x)),
    y: rows(target.name, targetShape, classes ? oneHot(y.data, target.classes ?? 1, target.ignoredClass) : toFloat32(y)),
  };
}

function rows(name: string, shape: readonly number[], data: Float32Array): Rows {
  return { name, shape, rowSize: shape.reduce((product, dim) => product * dim, 1), data };
}

const isInteger = ({ dtype }: NpyArray): boolean => dtype !== 'float32' && dtype !== 'float64';

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

function toFloat32({ data }: NpyArray): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof BigInt64Array) return Float32Array.from(data, Number);
  return Float32Array.from(data);
}
