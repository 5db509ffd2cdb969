import { describe, expect, it } from 'vitest';
import { createProbeModel } from '#engine/index.js';
import { attachLoss, type Graph } from '#graph/index.js';
import { GraphBuilder } from '#graph/builder.js';
import { add, div, matmul, mul, reduceMean, relu, sqrt, sub, tanh } from '#graph/emit.js';
import { createRandom, normalVector } from '#math/random.js';
import { measureSnapshot } from '#instruments/index.js';

const optimizer = {
  name: 'sgd',
  momentum: 0,
  dampening: 0,
  nesterov: false,
  beta1: 0,
  weightDecay: 0,
  decoupledDecay: false,
};
const sizes = [6, 8, 8, 3];
const examples = 16;

/** Dense layers with batch normalisation in training mode, as its parts. */
function normalised(activation: typeof tanh): Graph {
  const builder = new GraphBuilder();
  const parameter = (name: string, shape: readonly number[]) =>
    builder.input({ name, role: 'parameter', dtype: 'float32', shape });
  let x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', sizes[0]!] });
  for (const [i, size] of sizes.slice(1).entries()) {
    x = matmul(builder, x, parameter(`weight${i}`, [sizes[i]!, size]));
    if (i === sizes.length - 2) break;
    const centred = sub(builder, x, reduceMean(builder, x, [0], true));
    const variance = reduceMean(builder, mul(builder, centred, centred), [0], true);
    const normal = div(builder, centred, sqrt(builder, add(builder, variance, builder.scalar(1e-5))));
    x = activation(builder, add(builder, mul(builder, normal, parameter(`scale${i}`, [size])), parameter(`shift${i}`, [size])));
  }
  return builder.build([{ name: 'prediction', value: x }]);
}

async function top(seed: number, activation: typeof tanh, weight: number, executor: 'ort-cpu' | 'reference') {
  const random = createRandom(seed);
  const graph = attachLoss(normalised(activation), { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false });
  const x = { dtype: 'float32', shape: [examples, sizes[0]!], data: normalVector(examples * sizes[0]!, random) } as const;
  const labels = BigInt64Array.from({ length: examples }, () => BigInt(random.integer(3)));
  const y = { dtype: 'int64', shape: [examples], data: labels } as const;
  const model = createProbeModel({ graph, probeSet: { x, y }, threads: 1, executor });
  const theta = normalVector(model.parameterCount, random).map((v) => weight * v);
  const { readings } = await measureSnapshot({ model, theta, optimizer, probeDigest: '', learningRate: 0.1 });
  await model.close();
  return readings.filter(({ name }) => name === 'curvature.top');
}

describe('bounds of curvature', () => {
  it.each([0.01, 0.3])('cover what single precision adds, under batch normalisation - weights of %d', async (weight) => {
    const outside = [];
    for (const activation of [tanh, relu]) {
      for (let seed = 0; seed < 3; seed++) {
        const [single, double] = [
          await top(seed, activation, weight, 'ort-cpu'),
          await top(seed, activation, weight, 'reference'),
        ];
        const error = Math.abs(single[0]!.value - double[0]!.value);
        if (!(error <= single[0]!.bound)) outside.push({ seed, error, bound: single[0]!.bound });
      }
    }
    expect(outside).toEqual([]);
  });
});
