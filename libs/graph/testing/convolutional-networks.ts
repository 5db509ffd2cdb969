/** Convolutional networks small enough for dense Hessians: one of each kind of block. */
import { attachLoss } from '../attach-loss.js';
import { GraphBuilder } from '../builder.js';
import { add, matmul, mul, reduceMean, reshape, sigmoid, tanh } from '../emit.js';
import * as emit from '../emit/convolution.js';
import type { ConvOptions } from '../emit/convolution.js';
import type { Graph } from '../graph.js';
import type { Value } from '../op.js';

const plain: ConvOptions = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 };
const same: ConvOptions = { ...plain, pads: [1, 1, 1, 1] };
const halves = { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1] };

/** What the networks are written with: layers that make their own parameters. */
class Net {
  readonly e = new GraphBuilder();
  #count = 0;

  #parameter(shape: readonly number[]): Value {
    return this.e.input({ name: `p${this.#count++}`, role: 'parameter', dtype: 'float32', shape });
  }

  data(channels: number, size: number): Value {
    return this.e.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', channels, size, size] });
  }

  conv(x: Value, channels: number, size: number, options: ConvOptions): Value {
    const kernel = this.#parameter([channels, Number(x.shape[1]) / options.groups, size, size]);
    return emit.conv(this.e, x, kernel, options);
  }

  biased(x: Value): Value {
    return add(this.e, x, this.#parameter([Number(x.shape[1]), 1, 1]));
  }

  dense(x: Value, outputs: number): Value {
    const inputs = x.shape.slice(1).reduce<number>((product, dim) => product * Number(dim), 1);
    return matmul(this.e, reshape(this.e, x, ['batch', inputs]), this.#parameter([outputs, inputs]), { transB: true });
  }

  /** In training mode, with the statistics of the batch. */
  normalised(x: Value): Value {
    const { e } = this;
    const centred = add(e, x, mul(e, reduceMean(e, x, [0, 2, 3], true), e.scalar(-1)));
    const variance = reduceMean(e, mul(e, centred, centred), [0, 2, 3], true);
    const inverse = e.apply('pow', [add(e, variance, e.scalar(0.1))], { exponent: -0.5 });
    return mul(e, mul(e, centred, inverse), this.#parameter([Number(x.shape[1]), 1, 1]));
  }

  done(prediction: Value): Graph {
    return attachLoss(this.e.build([{ name: 'prediction', value: prediction }]), {
      kind: 'cross-entropy',
      reduction: 'sum-outputs',
      halved: false,
    });
  }
}

function leNet(): Graph {
  const net = new Net();
  const first = emit.averagePool(net.e, tanh(net.e, net.biased(net.conv(net.data(1, 10), 2, 3, plain))), halves);
  const second = emit.maxPool(net.e, tanh(net.e, net.biased(net.conv(first, 3, 3, plain))), halves);
  return net.done(net.dense(second, 3));
}

function vggBlock(): Graph {
  const net = new Net();
  const first = tanh(net.e, net.normalised(net.conv(net.data(2, 4), 3, 3, same)));
  const second = tanh(net.e, net.normalised(net.conv(first, 3, 3, same)));
  return net.done(net.dense(emit.maxPool(net.e, second, halves), 3));
}

/** Wider, one channel at a time, narrower, and around it all. */
function invertedResidual(): Graph {
  const net = new Net();
  const stem = tanh(net.e, net.conv(net.data(2, 7), 2, 3, { ...same, strides: [2, 2] }));
  const wide = sigmoid(net.e, net.biased(net.conv(stem, 4, 1, plain)));
  const deep = tanh(net.e, net.conv(wide, 4, 3, { ...same, groups: 4 }));
  const residual = add(net.e, stem, net.conv(deep, 2, 1, plain));
  const next = tanh(net.e, net.conv(residual, 4, 3, { ...same, groups: 2, strides: [2, 2] }));
  return net.done(net.dense(reduceMean(net.e, next, [2, 3]), 3));
}

export const convolutionalNetworks: readonly { readonly name: string; readonly training: Graph }[] = [
  { name: 'LeNet', training: leNet() },
  { name: 'a VGG block with batch norm', training: vggBlock() },
  { name: 'an inverted residual', training: invertedResidual() },
];
