import type { TfjsOps, TfjsTensor } from '#graph/tfjs-ops.js';
import type { Tfjs } from './tfjs-tensors.js';

/**
 * tfjs as the ops' kernels see it, with what a backend of version 4.22 cannot do, or does slowly, put around. Each repair
 * was seen to be needed by `doctor --verify`.
 */
export function repaired(tf: Tfjs, backend: string): TfjsOps {
  // The part of tfjs that ops use is declared in the room that does not load it.
  const ops = tf as unknown as TfjsOps;
  if (backend === 'wasm') return { ...ops, ...forWasm(ops) };
  return backend === 'webgpu' ? { ...ops, ...forWebGpu(ops) } : ops;
}

function forWasm(ops: TfjsOps): Partial<TfjsOps> {
  const swapped = (x: TfjsTensor, swap: boolean): TfjsTensor => {
    const axes = x.shape.map((_, axis) => axis);
    return swap ? ops.transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]) : x;
  };
  return {
    // A product with a transposed operand takes 20 times as long as a transpose and a plain product.
    matMul: (a, b, transposeA = false, transposeB = false) => ops.matMul(swapped(a, transposeA), swapped(b, transposeB)),
    // It calls the whole numbers that it cuts out floats.
    stridedSlice: (x, begin, end, strides) =>
      x.dtype === 'float32'
        ? ops.stridedSlice(x, begin, end, strides)
        : ops.cast(ops.stridedSlice(ops.cast(x, 'float32'), begin, end, strides), 'int32'),
  };
}

/** Shaders of tfjs's WebGPU backend for more axes are missing or do not compile. */
const highestRank = 4;

function forWebGpu(ops: TfjsOps): Partial<TfjsOps> {
  /** It calls the whole numbers floats and keeps their bits, which the shader of `transpose` does not expect. */
  const cast: TfjsOps['cast'] = (x, dtype) =>
    dtype === 'float32' && x.dtype !== 'float32' ? ops.mul(ops.cast(x, dtype), ops.scalar(1)) : ops.cast(x, dtype);
  /** Its transpose writes floats only, and reductions transpose. Whole numbers stay exact up to 2^24. */
  const asFloats = (x: TfjsTensor, result: 'int32' | 'bool', f: (x: TfjsTensor) => TfjsTensor): TfjsTensor =>
    x.dtype === 'float32' ? f(x) : ops.cast(f(cast(x, 'float32')), result);
  const kindOf = (x: TfjsTensor): 'int32' | 'bool' => (x.dtype === 'bool' ? 'bool' : 'int32');
  /** Changes one axis after the other, each as the second of three. */
  const byAxis = (
    x: TfjsTensor,
    shape: number[],
    change: (x: TfjsTensor, axis: number, size: number) => TfjsTensor,
  ): TfjsTensor => {
    let from = x.shape;
    let result = x;
    for (const [axis, size] of shape.entries()) {
      const [before, after] = [count(from.slice(0, axis)), count(from.slice(axis + 1))];
      if (from[axis] === size) continue;
      result = change(ops.reshape(result, [before, from[axis]!, after]), axis, size);
      from = from.with(axis, size);
    }
    return ops.reshape(result, shape);
  };
  /** It stretches more axes on the CPU, with a reading that waits, which only browsers have. */
  const broadcastTo: TfjsOps['broadcastTo'] = (x, shape) => {
    if (shape.length <= highestRank) return ops.broadcastTo(x, shape);
    const lifted = ops.reshape(x, [...shape.slice(x.shape.length).map(() => 1), ...x.shape]);
    return byAxis(lifted, shape, (y, _, size) => ops.broadcastTo(y, y.shape.with(1, size)));
  };
  return {
    cast,
    broadcastTo,
    where: (condition, a, b) => {
      const shape = stretched(stretched(condition.shape, a.shape), b.shape);
      const flat = (x: TfjsTensor): TfjsTensor => ops.reshape(broadcastTo(x, shape), [count(shape)]);
      return ops.reshape(ops.where(flat(condition), flat(a), flat(b)), shape);
    },
    pad: (x, around, value) => {
      if (around.length <= highestRank) return ops.pad(x, around, value);
      const shape = around.map(([before, after], axis) => before + x.shape[axis]! + after);
      return byAxis(x, shape, (y, axis) => ops.pad(y, [[0, 0], around[axis]!, [0, 0]], value));
    },
    reverse: (x, axes) => {
      if (x.shape.length <= highestRank) return ops.reverse(x, axes);
      let result = x;
      for (const axis of axes) {
        const [before, after] = [count(x.shape.slice(0, axis)), count(x.shape.slice(axis + 1))];
        result = ops.reverse(ops.reshape(result, [before, x.shape[axis]!, after]), [1]);
      }
      return ops.reshape(result, x.shape);
    },
    transpose: (x, permutation) => asFloats(x, kindOf(x), (y) => ops.transpose(y, permutation)),
    sum: (x, axes, keepDims) => asFloats(x, 'int32', (y) => ops.sum(y, axes, keepDims)),
    max: (x, axes, keepDims) => asFloats(x, kindOf(x), (y) => ops.max(y, axes, keepDims)),
    prod: (x, axes, keepDims) => asFloats(x, 'int32', (y) => ops.prod(y, axes, keepDims)),
  };
}

const count = (sizes: readonly number[]): number => sizes.reduce((product, size) => product * size, 1);

function stretched(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [m, n] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return m === 1 ? n : m;
  });
}
