/** A network full of bounds, choices and largest elements. */
import { expect, it } from 'vitest';
import { attachLoss } from './attach-loss.js';
import { GraphBuilder } from './builder.js';
import { add, matmul, mul } from './emit.js';
import * as activations from './emit/activations.js';
import * as ops from './emit/elementwise.js';
import * as reductions from './emit/reductions.js';
import { gradient } from './gradient.js';
import type { Graph } from './graph.js';
import { linearize } from './linearize.js';
import type { Value } from './op.js';
import { referenceTensor } from './reference-tensor.js';
import { runReference } from './run-reference.js';
import { differences, randomInputs, shifted } from './testing/numbers.js';
import { runOrt } from './testing/ort.js';

const BATCH = 5;
const STEP = 1e-5;

function network(): Graph {
  const e = new GraphBuilder();
  const input = (name: string, shape: readonly number[]): Value => e.input({ name, role: 'parameter', dtype: 'float32', shape });
  const [weight, slope] = [input('weight', [4, 3]), input('slope', [3])];
  const h = matmul(e, e.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 4] }), weight);
  const parts = [
    ops.clip(e, mul(e, h, h), { low: 0.1, high: 0.6 }),
    ops.max(e, mul(e, h, h), activations.elu(e, h)),
    ops.where(e, ops.less(e, h, slope), activations.gelu(e, h), activations.hardSwish(e, h)),
    reductions.reduceMax(e, mul(e, h, slope), [1], true),
    activations.prelu(e, h, slope),
    mul(e, activations.leakyRelu(e, h, 0.2), ops.cast(e, reductions.argMax(e, h, 1, true), 'float32')),
  ];
  return e.build([{ name: 'prediction', value: parts.reduce((a, b) => add(e, a, b)) }]);
}

it('products of a network of choices are differences of its gradient, and what is kept for them passes through ONNX Runtime', async () => {
  const training = attachLoss(network(), { kind: 'mse', reduction: 'sum-outputs', halved: false });
  const inputs = randomInputs(training, BATCH, 3);
  const { primal, tangent } = linearize(training);
  const vectors = Object.fromEntries(
    tangent.graph.inputs
      .filter(({ role }) => role === 'vector')
      .map(({ name, shape }, i) => [
        name,
        referenceTensor(
          shape as readonly number[],
          Array.from({ length: i === 0 ? 12 : 3 }, (_, k) => Math.sin(k + i)),
        ),
      ]),
  );
  const { graph, gradients } = gradient(training);
  const gradientAt = (sign: number): Float64Array[] => {
    const moved = { ...inputs };
    for (const [name, vector] of Object.entries(vectors)) {
      const parameter = name.replace('vector/', '');
      const value = inputs[parameter];
      if (value) moved[parameter] = shifted(value, vector, sign * STEP);
    }
    const values = runReference(graph, moved);
    return gradients.map((each) => values[each]?.data ?? new Float64Array());
  };
  const [after, before] = [gradientAt(1), gradientAt(-1)];
  const expected = after.map((list, i) => list.map((x, k) => (x - (before[i]?.[k] ?? Number.NaN)) / (2 * STEP)));

  const kept = runReference(primal.graph, inputs);
  const products = runReference(tangent.graph, { ...inputs, ...kept, ...vectors });
  const names = tangent.products[0] ?? [];
  for (const [i, name] of names.entries()) expect(differences(products[name]?.data, expected[i], 1e-6)).toEqual([]);

  // What is chosen is known once the parameters are.
  expect(tangent.graph.nodes.filter(({ op }) => op === 'where')).toEqual([]);
  const keptInOrt = await runOrt(primal.graph, inputs);
  const fed = Object.fromEntries(
    primal.kept.map((name) => [name, referenceTensor(kept[name]?.shape ?? [], keptInOrt[name] ?? [])]),
  );
  const inOrt = await runOrt(tangent.graph, { ...inputs, ...fed, ...vectors });
  for (const [i, name] of names.entries()) expect(differences(inOrt[name], expected[i], 2e-5)).toEqual([]);
});
