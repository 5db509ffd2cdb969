/**
 * What the ops may use of tfjs. Only the engine loads the library; here it is a shape that the real one fills, so that an
 * op can say in its own file how it runs there.
 */
import type { Attributes } from './graph.js';

export interface TfjsTensor {
  readonly shape: number[];
  readonly dtype: string;
}

type Unary = (x: TfjsTensor) => TfjsTensor;
type Binary = (a: TfjsTensor, b: TfjsTensor) => TfjsTensor;

export interface TfjsOps {
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly div: Binary;
  readonly pow: Binary;
  readonly greater: Binary;
  readonly less: Binary;
  readonly lessEqual: Binary;
  readonly equal: Binary;
  readonly logicalAnd: Binary;
  readonly logicalOr: Binary;
  readonly maximum: Binary;
  readonly minimum: Binary;
  readonly floorDiv: Binary;
  readonly mod: Binary;
  readonly logicalNot: Unary;
  readonly neg: Unary;
  readonly exp: Unary;
  readonly log: Unary;
  readonly sqrt: Unary;
  readonly tanh: Unary;
  readonly sigmoid: Unary;
  readonly relu: Unary;
  readonly abs: Unary;
  readonly sign: Unary;
  readonly floor: Unary;
  readonly round: Unary;
  readonly erf: Unary;
  readonly sin: Unary;
  readonly cos: Unary;
  readonly tan: Unary;
  readonly asin: Unary;
  readonly acos: Unary;
  readonly atan: Unary;
  readonly sinh: Unary;
  readonly cosh: Unary;
  readonly asinh: Unary;
  readonly acosh: Unary;
  readonly atanh: Unary;
  readonly log1p: Unary;
  readonly expm1: Unary;
  readonly leakyRelu: (x: TfjsTensor, alpha: number) => TfjsTensor;
  readonly argMax: (x: TfjsTensor, axis: number) => TfjsTensor;
  readonly prod: (x: TfjsTensor, axes?: number[], keepDims?: boolean) => TfjsTensor;
  readonly where: (condition: TfjsTensor, a: TfjsTensor, b: TfjsTensor) => TfjsTensor;
  readonly scalar: (value: number) => TfjsTensor;
  readonly cast: (x: TfjsTensor, dtype: 'float32' | 'int32' | 'bool') => TfjsTensor;
  readonly matMul: (a: TfjsTensor, b: TfjsTensor, transposeA?: boolean, transposeB?: boolean) => TfjsTensor;
  readonly sum: (x: TfjsTensor, axes?: number[], keepDims?: boolean) => TfjsTensor;
  readonly max: (x: TfjsTensor, axes?: number[], keepDims?: boolean) => TfjsTensor;
  readonly softmax: (x: TfjsTensor) => TfjsTensor;
  readonly reshape: (x: TfjsTensor, shape: number[]) => TfjsTensor;
  readonly transpose: (x: TfjsTensor, permutation?: number[]) => TfjsTensor;
  readonly broadcastTo: (x: TfjsTensor, shape: number[]) => TfjsTensor;
  readonly tensor: (values: Float32Array | Int32Array, shape: number[], dtype: 'float32' | 'int32') => TfjsTensor;
  readonly concat: (parts: TfjsTensor[], axis: number) => TfjsTensor;
  readonly slice: (x: TfjsTensor, begin: number[], size: number[]) => TfjsTensor;
  readonly stridedSlice: (x: TfjsTensor, begin: number[], end: number[], strides: number[]) => TfjsTensor;
  readonly reverse: (x: TfjsTensor, axes: number[]) => TfjsTensor;
  readonly pad: (x: TfjsTensor, around: [before: number, after: number][], value?: number) => TfjsTensor;
  /** Of [examples, rows, columns, channels] with a filter [rows, columns, in, out]. */
  readonly conv2d: (
    x: TfjsTensor,
    filter: TfjsTensor,
    strides: [number, number],
    pad: 'valid',
    format: 'NHWC',
    dilations: [number, number],
  ) => TfjsTensor;
  readonly gather: (x: TfjsTensor, indices: TfjsTensor, axis: number) => TfjsTensor;
  readonly scatterND: (indices: TfjsTensor, updates: TfjsTensor, shape: number[]) => TfjsTensor;
  readonly oneHot: (indices: TfjsTensor, depth: number) => TfjsTensor;
  readonly cumsum: (x: TfjsTensor, axis: number, exclusive: boolean, reverse: boolean) => TfjsTensor;
}

/**
 * `shape` is that of the result, with the number of examples filled in. Whole numbers are `int32` in tfjs. What is made on
 * the way is given back by the caller (`tidy`).
 */
export type TfjsKernel = (tf: TfjsOps, inputs: readonly TfjsTensor[], attributes: Attributes, shape: number[]) => TfjsTensor;
