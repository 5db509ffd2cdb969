import { describe, expect, it } from 'vitest';
import { attachLoss } from './attach-loss.js';
import { GraphBuilder } from './builder.js';
import { UnsupportedModel } from './errors.js';
import type { Dim, Graph, LossSpec } from './graph.js';
import { runReference } from './run-reference.js';
import { differences } from './testing/numbers.js';

/** A model whose prediction is its input times one parameter. */
function scaledBy(shape: readonly Dim[], meaning?: 'probabilities'): Graph {
  const builder = new GraphBuilder();
  const w = builder.input({ name: 'w', role: 'parameter', dtype: 'float32', shape: [] });
  const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape });
  const value = builder.apply('mul', [x, w]);
  return builder.build([meaning ? { name: 'out', value, meaning } : { name: 'out', value }]);
}

const mse = (reduction: LossSpec['reduction'], halved: boolean): LossSpec => ({ kind: 'mse', reduction, halved });
const crossEntropy: LossSpec = { kind: 'cross-entropy', reduction: 'mean-outputs', halved: true };
const w = { shape: [], data: Float64Array.of(1) };

describe('attachLoss', () => {
  const x = { shape: [2, 2], data: Float64Array.of(1, 2, 3, 5) };
  const target = { shape: [2, 2], data: Float64Array.of(0, 0, 1, 1) };

  it.each([
    [mse('sum-outputs', false), [5, 20]],
    [mse('sum-outputs', true), [2.5, 10]],
    [mse('mean-outputs', false), [2.5, 10]],
    [mse('mean-outputs', true), [1.25, 5]],
  ])('squared errors %o are one number an example, and loss is their sum', (spec, expected) => {
    const result = runReference(attachLoss(scaledBy(['batch', 2]), spec), { w, x, target });
    expect([...(result['losses']?.data ?? [])]).toEqual(expected);
    expect(result['loss']).toEqual({ shape: [], data: Float64Array.of(expected.reduce((a, b) => a + b, 0)) });
    expect(result['prediction']?.data).toEqual(x.data);
  });

  it('cross-entropy is minus the log-probability of the class, whatever reduction and half say', () => {
    const oneHot = { shape: [2, 2], data: Float64Array.of(1, 0, 0, 1) };
    const result = runReference(attachLoss(scaledBy(['batch', 2]), crossEntropy), { w, x, target: oneHot });
    expect(differences(result['losses']?.data, [Math.log(1 + Math.E), Math.log(1 + Math.exp(-2))], 1e-14)).toEqual([]);
  });

  it('cross-entropy of probabilities that no softmax made takes their logarithm', () => {
    const training = attachLoss(scaledBy(['batch', 2], 'probabilities'), crossEntropy);
    const probabilities = { shape: [1, 2], data: Float64Array.of(0.25, 0.75) };
    const result = runReference(training, { w, x: probabilities, target: { shape: [1, 2], data: Float64Array.of(0, 1) } });
    expect(result['loss']?.data[0]).toBeCloseTo(-Math.log(0.75), 14);
  });

  it('the target says how it is written', () => {
    const targetOf = (spec: LossSpec) => attachLoss(scaledBy(['batch', 2]), spec).inputs.find(({ role }) => role === 'target');
    expect(targetOf(crossEntropy)).toMatchObject({ name: 'target', encoding: 'one-hot', shape: ['batch', 2], dtype: 'float32' });
    expect(targetOf(mse('sum-outputs', false))).toMatchObject({ encoding: 'values', shape: ['batch', 2] });
  });

  it('a mean over several output axes counts them all', () => {
    const training = attachLoss(scaledBy(['batch', 2, 3]), mse('mean-outputs', false));
    const ones = { shape: [1, 2, 3], data: new Float64Array(6).fill(1) };
    const zeros = { shape: [1, 2, 3], data: new Float64Array(6) };
    expect(runReference(training, { w, x: ones, target: zeros })['loss']?.data[0]).toBeCloseTo(1, 14);
  });

  it('an output whose examples and tokens are one axis is taken apart', () => {
    const training = attachLoss(scaledBy(['batch*2', 3]), crossEntropy);
    const target = training.inputs.find(({ role }) => role === 'target');
    expect(target).toMatchObject({ shape: ['batch', 2, 3], encoding: 'one-hot', classes: 3 });
  });

  it('one number an example, without an output axis', () => {
    const training = attachLoss(scaledBy(['batch']), mse('mean-outputs', false));
    const result = runReference(training, {
      w,
      x: { shape: [2], data: Float64Array.of(1, 2) },
      target: { shape: [2], data: Float64Array.of(0, 0) },
    });
    expect([...(result['losses']?.data ?? [])]).toEqual([1, 4]);
  });

  it.each([
    ['cross-entropy without classes', scaledBy(['batch']), crossEntropy],
    ['an output without examples', scaledBy([2, 2]), mse('sum-outputs', false)],
    ['an output with examples last', scaledBy([2, 'batch']), mse('sum-outputs', false)],
    [
      'several outputs',
      { ...scaledBy(['batch', 2]), outputs: [...scaledBy(['batch', 2]).outputs, ...scaledBy(['batch', 2]).outputs] },
      crossEntropy,
    ],
  ])('refused - %s', (_, forward, spec) => {
    expect(() => attachLoss(forward, spec)).toThrow(UnsupportedModel);
  });

  it('a model with an input called target keeps it', () => {
    const forward = scaledBy(['batch', 2]);
    const renamed: Graph = {
      ...forward,
      inputs: forward.inputs.map((input) => (input.role === 'data' ? { ...input, name: 'target' } : input)),
      nodes: forward.nodes.map((node) => ({ ...node, inputs: node.inputs.map((name) => (name === 'x' ? 'target' : name)) })),
    };
    const names = attachLoss(renamed, crossEntropy).inputs.map(({ name }) => name);
    expect(names).toEqual(['w', 'target', "target'"]);
  });
});
