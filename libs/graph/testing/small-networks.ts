/** Training graphs small enough for dense matrices: one of each kind of layer whose derivative adds up examples in its own way. */
import { attachLoss } from '../attach-loss.js';
import { GraphBuilder } from '../builder.js';
import { add, matmul, mul, reduceMean, reduceSum, reshape, softmax, tanh, transpose } from '../emit.js';
import { conv } from '../emit/convolution.js';
import { gather } from '../emit/shape.js';
import type { Graph, LossSpec, Shape } from '../graph.js';
import { mlp } from '../networks.js';
import type { Value } from '../op.js';

class Net {
  readonly builder = new GraphBuilder();

  parameter(name: string, shape: readonly number[]): Value {
    return this.builder.input({ name, role: 'parameter', dtype: 'float32', shape });
  }

  data(shape: Shape, dtype: 'float32' | 'int64' = 'float32'): Value {
    return this.builder.input({ name: 'x', role: 'data', dtype, shape });
  }

  forward(value: Value): Graph {
    return this.builder.build([{ name: 'prediction', value }]);
  }
}

/** Two convolutions, one with groups, strides and padding, and a mean over the image. */
function convolutional(): Graph {
  const net = new Net();
  const [a, b] = [net.parameter('a.weight', [4, 2, 3, 3]), net.parameter('b.weight', [4, 2, 2, 2])];
  const [bias, scale] = [net.parameter('a.bias', [4, 1, 1]), net.parameter('scale', [4])];
  const e = net.builder;
  const x = net.data(['batch', 2, 5, 5]);
  const none = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 };
  const first = tanh(e, add(e, conv(e, x, a, { ...none, strides: [2, 2], pads: [1, 1, 1, 1] }), bias));
  const second = tanh(e, conv(e, first, b, { ...none, groups: 2 }));
  return net.forward(mul(e, reduceMean(e, second, [2, 3]), scale));
}

/** One head over four tokens: products over the tokens of all examples at once, and products within an example. */
function attention(): Graph {
  const net = new Net();
  const [q, k, v] = ['q', 'k', 'v'].map((name) => net.parameter(name, [3, 3])) as [Value, Value, Value];
  const gain = net.parameter('gain', [3]);
  const e = net.builder;
  const x = mul(e, net.data(['batch', 4, 3]), gain);
  const rows = reshape(e, x, ['batch*4', 3]);
  const project = (weight: Value): Value => reshape(e, matmul(e, rows, weight), ['batch', 4, 3]);
  const scores = softmax(e, matmul(e, project(q), project(k), { transB: true }), 2);
  return net.forward(reduceSum(e, matmul(e, scores, project(v)), [1]));
}

/** A table whose rows are picked by tokens, used once more at the end. */
function tied(): Graph {
  const net = new Net();
  const table = net.parameter('table', [5, 3]);
  const e = net.builder;
  const mean = reduceMean(e, gather(e, table, net.data(['batch', 2], 'int64'), 0), [1]);
  return net.forward(matmul(e, tanh(e, mean), transpose(e, table, [1, 0])));
}

const crossEntropy: LossSpec = { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false };
const squares: LossSpec = { kind: 'mse', reduction: 'mean-outputs', halved: false };
const decayed: LossSpec = { ...crossEntropy, weightDecay: { strength: 0.3 } };

export const smallNetworks: readonly { readonly name: string; readonly training: Graph; readonly loss: LossSpec }[] = [
  { name: 'MLP with cross-entropy', forward: mlp({ sizes: [3, 4, 3], activation: 'tanh' }), loss: crossEntropy },
  { name: 'MLP with squared errors', forward: mlp({ sizes: [3, 4, 2], activation: 'sigmoid' }), loss: squares },
  { name: 'MLP with weight decay', forward: mlp({ sizes: [3, 4, 3], activation: 'tanh' }), loss: decayed },
  {
    name: 'MLP with binary cross-entropy',
    forward: mlp({ sizes: [3, 4, 2], activation: 'tanh' }),
    loss: { kind: 'binary-cross-entropy', reduction: 'sum-outputs', halved: false } as const,
  },
  { name: 'convolutions', forward: convolutional(), loss: crossEntropy },
  { name: 'attention', forward: attention(), loss: squares },
  { name: 'tied embedding', forward: tied(), loss: crossEntropy },
].map(({ name, forward, loss }) => ({ name, loss, training: attachLoss(forward, loss) }));
