/** Elementwise operators that are read as compositions; those of `com.microsoft` are what ONNX Runtime's own tools write. */
import { add } from '../../emit.js';
import {
  celu,
  gelu,
  geluTanh,
  hardSigmoid,
  mish,
  prelu,
  selu,
  shrink,
  silu,
  softsign,
  thresholdedRelu,
} from '../../emit/activations.js';
import { meanOf, reciprocal, sumOf } from '../../emit/elementwise.js';
import type { OnnxReader } from '../../op.js';
import { eachOf } from '../../ops/variadic.js';

/** Defaults of the standard, for Selu in single precision as it gives them. */
const SELU = { alpha: 1.67326319217681884765625, gamma: 1.05070102214813232421875 };

const geluReader: OnnxReader = (e, node) => {
  const form = node.text('approximate', 'none');
  if (form === 'tanh') return geluTanh(e, node.input(0));
  if (form === 'none') return gelu(e, node.input(0));
  throw node.unsupported(`the approximation '${form}'`, "'none' or 'tanh'");
};

export const activationReaders: Readonly<Record<string, OnnxReader>> = {
  Reciprocal: (e, node) => reciprocal(e, node.input(0)),
  Sum: (e, node) => sumOf(e, eachOf(node)),
  Mean: (e, node) => meanOf(e, eachOf(node)),
  Selu: (e, node) => selu(e, node.input(0), node.float('alpha', SELU.alpha), node.float('gamma', SELU.gamma)),
  Celu: (e, node) => celu(e, node.input(0), node.float('alpha', 1)),
  HardSigmoid: (e, node) => hardSigmoid(e, node.input(0), node.float('alpha', 0.2), node.float('beta', 0.5)),
  Softsign: (e, node) => softsign(e, node.input(0)),
  Mish: (e, node) => mish(e, node.input(0)),
  ThresholdedRelu: (e, node) => thresholdedRelu(e, node.input(0), node.float('alpha', 1)),
  PRelu: (e, node) => prelu(e, node.input(0), node.input(1)),
  Shrink: (e, node) => shrink(e, node.input(0), node.float('lambd', 0.5), node.float('bias', 0)),
  Gelu: geluReader,
  Swish: (e, node) => silu(e, node.input(0), node.float('alpha', 1)),
  'com.microsoft.Gelu': (e, node) => gelu(e, node.input(0)),
  'com.microsoft.FastGelu': (e, node) => {
    const x = node.input(0);
    return geluTanh(e, node.has(1) ? add(e, x, node.input(1)) : x);
  },
  'com.microsoft.BiasGelu': (e, node) => gelu(e, add(e, node.input(0), node.input(1))),
  'com.microsoft.QuickGelu': (e, node) => silu(e, node.input(0), node.float('alpha', 1.702)),
};
