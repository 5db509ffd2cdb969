/** Derivatives of small convolutional networks, as they are and as products of matrices. */
import { describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { GraphBuilder } from '../builder.js';
import { add, matmul, mul, reduceMean, reshape, sigmoid, tanh } from '../emit.js';
import * as emit from '../emit/convolution.js';
import type { ConvOptions } from '../emit/convolution.js';
import type { Graph } from '../graph.js';
import { gradient } from '../gradient.js';
import { linearize } from '../linearize.js';
import type { Value } from '../op.js';
import { parametersOf } from '../queries.js';
import { runReference } from '../run-reference.js';
import { join, referenceLinearization, split } from '../testing/hessian.js';
import { differences, randomInputs } from '../testing/numbers.js';
import { runOrt } from '../testing/ort.js';
import { spatialFirst } from './spatial-first.js';

const BATCH = 3;
const STEP = 1e-5;
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

const networks = [
  { name: 'LeNet', training: leNet() },
  { name: 'a VGG block with batch norm', training: vggBlock() },
  { name: 'an inverted residual', training: invertedResidual() },
];
const forms = networks.flatMap(({ name, training }) => [
  { name: `${name}, as it is`, training, written: training },
  { name: `${name}, as products`, training, written: spatialFirst(training, { plainPenalty: Number.POSITIVE_INFINITY }) },
]);

describe.each(forms)('$name', ({ training, written }) => {
  const inputs = randomInputs(training, BATCH, 5);
  const names = parametersOf(training).map(({ name }) => name);
  const theta = join(inputs, names);
  const known = gradient(training);
  const gradientAt = (moved: readonly number[]): number[] =>
    join(runReference(known.graph, { ...inputs, ...split(training, moved, names) }), known.gradients);
  const linearized = linearize(written, { convolutions: 'plain' });

  it('Hessian is that of differences of the plain gradient', () => {
    const hessian = referenceLinearization(linearized, training, inputs);
    expect(differences(hessian.gradient, gradientAt(theta), 1e-11)).toEqual([]);
    for (let i = 0; i < theta.length; i++) {
      const [after, before] = [1, -1].map((sign) => gradientAt(theta.map((x, j) => (i === j ? x + sign * STEP : x))));
      const column = after?.map((x, j) => (x - (before?.[j] ?? Number.NaN)) / (2 * STEP));
      expect(differences(hessian.multiply(theta.map((_, j) => (i === j ? 1 : 0))), column, 1e-6)).toEqual([]);
    }
  });

  it('ONNX Runtime computes the same', async () => {
    const { primal, tangent } = linearized;
    const kept = runReference(primal.graph, inputs);
    const vectors = split(
      training,
      theta.map((x, i) => Math.sin(i) + x),
      tangent.vectors[0] ?? [],
    );
    for (const graph of [primal.graph, tangent.graph]) {
      const all = { ...inputs, ...kept, ...vectors };
      const [expected, actual] = [runReference(graph, all), await runOrt(graph, all)];
      for (const { name } of graph.outputs) expect(differences(actual[name], expected[name]?.data, 1e-4)).toEqual([]);
    }
  });
});
