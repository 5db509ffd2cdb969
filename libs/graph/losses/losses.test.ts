import { describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { GraphBuilder } from '../builder.js';
import { mul } from '../emit.js';
import { UnsupportedModel } from '../errors.js';
import { gradient } from '../gradient.js';
import type { Graph, LossSpec, Shape } from '../graph.js';
import { linearize } from '../linearize.js';
import { oneHot } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { formsOf, lossCases, targetOf, tensorOf as tensor, trainingOf } from '../testing/loss-cases.js';
import { differences } from '../testing/numbers.js';

const sum = (values: ArrayLike<number> | undefined): number => Array.from(values ?? []).reduce((a, b) => a + b, 0);

/** Rows `from` to `to`, as a chunk. */
function rowsOf({ shape, data }: ReferenceTensor, from: number, to: number): ReferenceTensor {
  const row = data.length / (shape[0] ?? 1);
  return referenceTensor([to - from, ...shape.slice(1)], data.slice(from * row, to * row));
}

describe.each(lossCases.flatMap((each) => formsOf(each).map((form) => ({ each, form, name: each.name }))))(
  'the loss of PyTorch - $name, target $form',
  ({ each, form }) => {
    const training = trainingOf(each, form);
    const y = targetOf(training, each);
    const linearized = linearize(training);
    const run = (chunks: readonly (readonly [number, number])[]): { loss: number; gradient: number[]; product: number[] } => {
      let [losses, weights] = [0, 0];
      const gradientSum = each.gradient.map(() => 0);
      const productSum = each.gradient.map(() => 0);
      for (const [from, to] of chunks) {
        const inputs = { x: rowsOf(tensor(each.x), from, to), w: tensor(each.w), target: rowsOf(y, from, to) };
        const { primal, tangent } = linearized;
        const results = runReference(primal.graph, inputs);
        losses += sum(results[primal.losses]?.data);
        weights += primal.weights === undefined ? to - from : sum(results[primal.weights]?.data);
        expect(sum(results[primal.losses]?.data)).toBeCloseTo(results[primal.loss]?.data[0] ?? Number.NaN, 12);
        results[primal.gradients[0] ?? '']?.data.forEach((g, i) => (gradientSum[i] = (gradientSum[i] ?? 0) + g));
        const moved = runReference(tangent.graph, { ...inputs, ...results, [tangent.vectors[0]?.[0] ?? '']: tensor(each.v) });
        moved[tangent.products[0]?.[0] ?? '']?.data.forEach((h, i) => (productSum[i] = (productSum[i] ?? 0) + h));
      }
      const mean = (values: readonly number[]): number[] => values.map((value) => value / weights);
      return { loss: losses / weights, gradient: mean(gradientSum), product: mean(productSum) };
    };

    it.each([
      ['at once', [[0, 5]]],
      [
        'in chunks',
        [
          [0, 1],
          [1, 3],
          [3, 5],
        ],
      ],
    ] as const)('loss, gradient and product, taken %s', (_, chunks) => {
      const ours = run(chunks);
      expect(differences([ours.loss], [each.loss], 1e-13)).toEqual([]);
      expect(differences(ours.gradient, each.gradient, 1e-12)).toEqual([]);
      expect(differences(ours.product, each.product, 1e-12)).toEqual([]);
    });
  },
);

const squares: LossSpec = { kind: 'mse', reduction: 'sum-outputs', halved: false };
const classes: LossSpec = { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false };
const plain = (shape: Shape): Graph => {
  const builder = new GraphBuilder();
  const w = builder.input({ name: 'weights', role: 'parameter', dtype: 'float32', shape: [] });
  const b = builder.input({ name: 'bias', role: 'parameter', dtype: 'float32', shape: [2] });
  const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape });
  return builder.build([{ name: 'out', value: builder.apply('add', [mul(builder, x, w), b]) }]);
};

describe('weight decay', () => {
  const inputs = {
    weights: referenceTensor([], [3]),
    bias: referenceTensor([2], [1, -2]),
    x: referenceTensor([3, 2], [1, 2, 3, 4, 5, 6]),
  };
  const mean = (spec: LossSpec, target: ReferenceTensor): { loss: number; gradients: number[][] } => {
    const { graph, losses, weights, gradients } = gradient(attachLoss(plain(['batch', 2]), spec));
    const results = runReference(graph, { ...inputs, target });
    const total = weights === undefined ? 3 : sum(results[weights]?.data);
    return {
      loss: sum(results[losses]?.data) / total,
      gradients: gradients.map((name) => Array.from(results[name]?.data ?? [], (g) => g / total)),
    };
  };
  const y = referenceTensor([3, 2], [0, 0, 0, 0, 0, 0]);
  const labels = referenceTensor([3, 2], oneHot([1, -1, 0], 2, -1));

  it.each([
    ['squares', squares, y],
    ['classes, one ignored', { ...classes, ignoredClass: -1 }, labels],
  ] as const)('is in the mean once - %s', (_, spec, target) => {
    const without = mean(spec, target);
    const all = mean({ ...spec, weightDecay: { strength: 0.5 } }, target);
    expect(all.loss - without.loss).toBeCloseTo(0.25 * (9 + 1 + 4), 12);
    expect(all.gradients[0]?.[0]).toBeCloseTo((without.gradients[0]?.[0] ?? 0) + 1.5, 12);
    expect(all.gradients[1]?.[1]).toBeCloseTo((without.gradients[1]?.[1] ?? 0) - 1, 12);
    const some = mean({ ...spec, weightDecay: { strength: 0.5, parameters: ['bias'] } }, target);
    expect(some.loss - without.loss).toBeCloseTo(0.25 * 5, 12);
    expect(some.gradients[0]).toEqual(without.gradients[0]);
  });
});

describe('a loss of the model’s own', () => {
  const own = (lossShape: 'each' | 'mean'): Graph => {
    const builder = new GraphBuilder();
    const w = builder.input({ name: 'w', role: 'parameter', dtype: 'float32', shape: [] });
    const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 2] });
    const labels = builder.input({ name: 'labels', role: 'data', dtype: 'float32', shape: ['batch', 2] });
    const value = mul(builder, x, w);
    const errors = builder.apply('sub', [value, labels]);
    const losses = builder.apply('reduceSum', [mul(builder, errors, errors)], {
      axes: lossShape === 'each' ? [1] : [0, 1],
      keepDims: false,
    });
    return builder.build([
      { name: 'nll', value: losses },
      { name: 'logits', value },
    ]);
  };
  const spec: LossSpec = { kind: 'output', reduction: 'sum-outputs', halved: false, output: 'nll', target: 'labels' };

  it('is taken as it is, and its input for targets is the target', () => {
    const training = attachLoss(own('each'), spec);
    expect(training.inputs.map(({ name, role }) => [name, role])).toEqual([
      ['w', 'parameter'],
      ['x', 'data'],
      ['labels', 'target'],
    ]);
    const results = runReference(training, {
      w: referenceTensor([], [2]),
      x: referenceTensor([2, 2], [1, 2, 3, 4]),
      labels: referenceTensor([2, 2], [1, 1, 1, 1]),
    });
    expect([...(results['losses']?.data ?? [])]).toEqual([10, 74]);
    expect([...(results['prediction']?.data ?? [])]).toEqual([2, 4, 6, 8]);
  });

  it.each([
    ['a mean over the batch', own('mean'), spec, 'loss.output'],
    ['an output that is not there', own('each'), { ...spec, output: 'nil' }, 'loss.output'],
    ['an input that is not there', own('each'), { ...spec, target: 'y' }, 'loss.target'],
  ])('refused - %s', (_, forward, given, field) => {
    expect(() => attachLoss(forward, given)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_MODEL', field }));
  });
});

describe('a loss that makes no sense is refused by its field', () => {
  it.each([
    [{ ...classes, labelSmoothing: 1.5 }, 'loss.labelSmoothing'],
    [{ ...classes, labelSmoothing: Number.NaN }, 'loss.labelSmoothing'],
    [{ ...classes, ignoredClass: 0.5 }, 'loss.ignoredClass'],
    [{ ...classes, targets: 'probabilities', ignoredClass: 1 }, 'loss.ignoredClass'],
    [{ ...squares, kind: 'huber', delta: 0 }, 'loss.delta'],
    [{ ...squares, kind: 'output' }, 'loss.output'],
    [{ ...squares, weightDecay: { strength: -1 } }, 'loss.weightDecay.strength'],
    [{ ...squares, weightDecay: { strength: 1, parameters: ['bias', 'w'] } }, 'loss.weightDecay.parameters'],
  ] as const)('%o', (spec, field) => {
    expect(() => attachLoss(plain(['batch', 2]), spec)).toThrow(UnsupportedModel);
    expect(() => attachLoss(plain(['batch', 2]), spec)).toThrow(expect.objectContaining({ field }));
  });
});
