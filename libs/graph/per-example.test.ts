import { describe, expect, it } from 'vitest';
import { attachLoss } from './attach-loss.js';
import { GraphBuilder } from './builder.js';
import { add, matmul, reshape, tanh, transpose } from './emit.js';
import { gradient } from './gradient.js';
import type { Graph } from './graph.js';
import { mixesExamples } from './mixes-examples.js';
import { perExampleGradient } from './per-example.js';
import { referenceTensor } from './reference-tensor.js';
import type { ReferenceTensor } from './reference-tensor.js';
import { runReference } from './run-reference.js';
import { differences, randomInputs } from './testing/numbers.js';

const BATCH = 4;

/** A dense layer over steps that are merged with the examples, time first, as recurrent and attention layers of PyTorch do. */
function timeFirst(): Graph {
  const builder = new GraphBuilder();
  const parameter = (name: string, shape: readonly number[]) =>
    builder.input({ name, role: 'parameter', dtype: 'float32', shape });
  const [w, b] = [parameter('w', [2, 5]), parameter('b', [5])];
  const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 3, 2] });
  const merged = reshape(builder, transpose(builder, x, [1, 0, 2]), ['batch*3', 2]);
  const hidden = tanh(builder, add(builder, matmul(builder, merged, w), b));
  const apart = transpose(builder, reshape(builder, hidden, [3, 'batch', 5]), [1, 0, 2]);
  return attachLoss(builder.build([{ name: 'y', value: reshape(builder, apart, ['batch', 15]) }]), {
    kind: 'mse',
    reduction: 'sum-outputs',
    halved: true,
  });
}

describe('perExampleGradient', () => {
  it('examples that are merged with time, time first, stay apart', () => {
    const training = timeFirst();
    expect(mixesExamples(training)).toBe(false);
    const inputs = randomInputs(training, BATCH);
    const { graph, gradients } = perExampleGradient(training);
    const each = runReference(graph, inputs);
    const one = gradient(training);
    for (let example = 0; example < BATCH; example++) {
      const row = ({ shape, data }: ReferenceTensor): ReferenceTensor => {
        const size = data.length / BATCH;
        return referenceTensor([1, ...shape.slice(1)], data.slice(example * size, (example + 1) * size));
      };
      const alone = Object.fromEntries(
        training.inputs.map(({ name, role }) => [name, role === 'parameter' ? inputs[name]! : row(inputs[name]!)]),
      );
      const expected = runReference(one.graph, alone);
      for (const [i, name] of gradients.entries()) {
        expect(differences(row(each[name]!).data, expected[one.gradients[i]!]?.data, 1e-12)).toEqual([]);
      }
    }
  });
});
