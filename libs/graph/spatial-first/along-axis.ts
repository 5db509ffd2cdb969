/** Convolutions and averages along one axis as products with known matrices. */
import { MAX_PRODUCTS, entryOf, matrix, shortConvolution } from './toom-cook.js';
import type { Matrix, ShortConvolution } from './toom-cook.js';
import { at } from '../op.js';

/** How windows slide along one axis. */
export interface AxisWindows {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBefore: number;
  readonly outputs: number;
}

/**
 * y = output · ((weight · w) ⊙ (input · x)), where the products of each tile have the same weights. Rows of `input` and columns
 * of `output` count tiles first (`tile · products + product`) or, where `productFirst`, products first.
 */
export interface AxisAlgorithm {
  readonly tiles: number;
  readonly products: number;
  /** [tiles · products, size] */
  readonly input: Matrix;
  /** [products, kernel] */
  readonly weight: Matrix;
  /** [outputs, tiles · products] */
  readonly output: Matrix;
}

/** Taps that see the same part of the input when it is cut up by the stride: tap `first + j · stride`, j < count. */
interface Phase {
  readonly first: number;
  readonly short: ShortConvolution;
}

function phasesOf({ kernel, stride }: AxisWindows, tile: number): readonly Phase[] | undefined {
  const phases: Phase[] = [];
  for (let first = 0; first < Math.min(stride, kernel); first++) {
    const count = Math.ceil((kernel - first) / stride);
    if (tile > 1 && count > 1 && tile + count - 1 > MAX_PRODUCTS) return undefined;
    phases.push({ first, short: shortConvolution(tile, count) });
  }
  return phases;
}

const productsOf = (phases: readonly Phase[]): number => phases.reduce((sum, { short }) => sum + short.weight.rows, 0);

/** The one with the fewest products; undefined for dilated windows. */
export function axisAlgorithm(windows: AxisWindows, productFirst: boolean): AxisAlgorithm | undefined {
  if (windows.dilation !== 1 && windows.kernel !== 1) return undefined;
  let best: { readonly tile: number; readonly phases: readonly Phase[]; readonly cost: number } | undefined;
  for (let tile = 1; tile <= Math.min(MAX_PRODUCTS, windows.outputs); tile++) {
    const phases = phasesOf(windows, tile);
    if (phases === undefined) continue;
    const cost = Math.ceil(windows.outputs / tile) * productsOf(phases);
    if (best === undefined || cost < best.cost) best = { tile, phases, cost };
  }
  return best && assembled(windows, best.tile, best.phases, productFirst);
}

function assembled(
  { size, kernel, stride, padBefore, outputs }: AxisWindows,
  tile: number,
  phases: readonly Phase[],
  productFirst: boolean,
): AxisAlgorithm {
  const tiles = Math.ceil(outputs / tile);
  const products = productsOf(phases);
  const place = (t: number, product: number): number => (productFirst ? product * tiles + t : t * products + product);
  const input = new Float64Array(tiles * products * size);
  const weight = new Float64Array(products * kernel);
  const output = new Float64Array(outputs * tiles * products);
  let before = 0;
  for (const { first, short } of phases) {
    for (let product = 0; product < short.weight.rows; product++) {
      const row = before + product;
      for (let j = 0; j < short.weight.columns; j++)
        weight[row * kernel + first + j * stride] = entryOf(short.weight, product, j);
      for (let t = 0; t < tiles; t++) {
        for (let j = 0; j < short.input.columns; j++) {
          const seen = (t * tile + j) * stride + first - padBefore;
          if (seen >= 0 && seen < size) input[place(t, row) * size + seen] = entryOf(short.input, product, j);
        }
        for (let o = 0; o < tile && t * tile + o < outputs; o++) {
          output[(t * tile + o) * tiles * products + place(t, row)] = entryOf(short.output, o, product);
        }
      }
    }
    before += short.weight.rows;
  }
  return {
    tiles,
    products,
    input: { rows: tiles * products, columns: size, data: input },
    weight: { rows: products, columns: kernel, data: weight },
    output: { rows: outputs, columns: tiles * products, data: output },
  };
}

/** The mean over each window, padding counted as zeros. */
export function averageAlong({ size, kernel, stride, dilation, padBefore, outputs }: AxisWindows): Matrix {
  const seen = (output: number): number[] => Array.from({ length: kernel }, (_, k) => output * stride + k * dilation - padBefore);
  const places = Array.from({ length: outputs }, (_, output) => seen(output));
  return matrix(outputs, size, (row, column) => at(places, row).filter((place) => place === column).length / kernel);
}

export function isIdentity({ rows, columns, data }: Matrix): boolean {
  return rows === columns && data.every((entry, i) => entry === (Math.floor(i / columns) === i % columns ? 1 : 0));
}
