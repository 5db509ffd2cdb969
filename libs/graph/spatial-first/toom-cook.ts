/**
 * Short convolutions with fewer multiplications (Toom 1963, Cook 1966, Winograd 1980, "Arithmetic Complexity of
 * Computations"; for networks Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"): m outputs of a filter
 * with r taps cost m + r − 1 products instead of m · r, one for each point at which the polynomials are evaluated:
 * y = output · ((weight · w) ⊙ (input · x)).
 */
import { at } from '../op.js';

/** Row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

export interface ShortConvolution {
  /** [m, products] */
  readonly output: Matrix;
  /** [products, r] */
  readonly weight: Matrix;
  /** [products, m + r − 1] */
  readonly input: Matrix;
}

export function matrix(rows: number, columns: number, entry: (row: number, column: number) => number): Matrix {
  const data = Float64Array.from({ length: rows * columns }, (_, i) => entry(Math.floor(i / columns), i % columns));
  return { rows, columns, data };
}

export const entryOf = ({ columns, data }: Matrix, row: number, column: number): number =>
  data[row * columns + column] ?? Number.NaN;

export const times = (a: Matrix, b: Matrix): Matrix =>
  matrix(a.rows, b.columns, (row, column) => {
    let sum = 0;
    for (let k = 0; k < a.columns; k++) sum += entryOf(a, row, k) * entryOf(b, k, column);
    return sum;
  });

/** Besides infinity. In single precision six products with these lose about one digit; more points lose more. */
const POINTS: readonly number[] = [0, 1, -1, 2, -2];
export const MAX_PRODUCTS = POINTS.length + 1;

/** Coefficients, lowest first, of the product of (x − p) over these points. */
const withRoots = (points: readonly number[]): number[] =>
  points.reduce<number[]>(
    (coefficients, point) => [...coefficients, 0].map((c, i) => (coefficients[i - 1] ?? 0) - point * c),
    [1],
  );

/** At most MAX_PRODUCTS products, except for one output at a time, which is the plain sum. */
export function shortConvolution(outputs: number, taps: number): ShortConvolution {
  const products = outputs + taps - 1;
  if (outputs === 1 || taps === 1) return plain(outputs, taps);
  if (products > MAX_PRODUCTS) throw new Error(`No short convolution of ${taps} taps for ${outputs} outputs at once`);
  const points = POINTS.slice(0, products - 1);
  const powers = (width: number): Matrix =>
    matrix(products, width, (row, column) => (row < points.length ? at(points, row) ** column : column === width - 1 ? 1 : 0));
  // Interpolation: row i holds the coefficients of Π_{j≠i}(x − a_j), whose value at a_i goes into the weights.
  const numerators = points.map((_, i) => withRoots(points.filter((__, j) => j !== i)));
  const all = withRoots(points);
  const scales = points.map((point, i) =>
    points.reduce((product, other, j) => (j === i ? product : product * (point - other)), 1),
  );
  const evaluated = powers(taps);
  const spread = powers(outputs);
  return {
    output: matrix(outputs, products, (row, column) => entryOf(spread, column, row)),
    weight: matrix(products, taps, (row, column) => entryOf(evaluated, row, column) / (scales[row] ?? 1)),
    input: matrix(products, products, (row, column) =>
      row < points.length ? (at(numerators, row)[column] ?? 0) : (all[column] ?? 0),
    ),
  };
}

/** One product for each tap (of one output) or for each output (of one tap). */
function plain(outputs: number, taps: number): ShortConvolution {
  const products = outputs * taps;
  const identity = matrix(products, products, (row, column) => (row === column ? 1 : 0));
  return {
    input: identity,
    weight: taps === 1 ? matrix(products, 1, () => 1) : identity,
    output: outputs === 1 ? matrix(1, products, () => 1) : identity,
  };
}
