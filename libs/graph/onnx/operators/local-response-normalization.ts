import { add, div, matmul, mul, pow, reshape } from '../../emit.js';
import type { OnnxReader } from '../../op.js';
import { fixedSize, showShape } from '../../shapes.js';

/** Row c has a 1 at each channel that the window about channel c covers. */
function windows(channels: number, size: number): Float32Array {
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  return Float32Array.from({ length: channels * channels }, (_, i) => {
    const [c, other] = [Math.floor(i / channels), i % channels];
    return other >= c - before && other <= c + after ? 1 : 0;
  });
}

/** x / (bias + alpha / size · Σ x² over neighbouring channels)^beta; the sum over a window is a product with a band of ones. */
export const localResponseNormalization: OnnxReader = (e, node) => {
  const x = node.input(0);
  const [examples, channels, ...space] = x.shape;
  if (examples === undefined || typeof channels !== 'number') {
    throw node.unsupported(`an input of shape ${showShape(x.shape)}`, '[batch, channels, space …]');
  }
  const size = node.int('size', 1);
  const squares = reshape(e, mul(e, x, x), [examples, channels, fixedSize(space)]);
  const sums = reshape(e, matmul(e, e.constant([channels, channels], windows(channels, size)), squares), x.shape);
  const scaled = mul(e, sums, e.scalar(node.float('alpha', 1e-4) / size));
  return div(e, x, pow(e, add(e, scaled, e.scalar(node.float('bias', 1))), node.float('beta', 0.75)));
};
