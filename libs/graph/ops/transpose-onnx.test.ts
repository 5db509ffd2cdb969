import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../builder.js';
import { transpose } from '../emit.js';
import type { Shape } from '../graph.js';
import { exportOnnx } from '../onnx/export.js';
import { decodeModel } from '../onnx/proto.js';
import { runReference } from '../run-reference.js';
import { resolveShape } from '../shapes.js';
import { differences, randomTensor, uniform } from '../testing/numbers.js';
import { runOrt } from '../testing/ort.js';

interface Case {
  readonly name: string;
  readonly shape: Shape;
  readonly permutation: readonly number[];
  /** How many operators are written. */
  readonly operators: readonly string[];
}

const twice = ['Reshape', 'Transpose', 'Transpose', 'Reshape'];
const once = ['Reshape', 'Transpose', 'Reshape'];

const cases: readonly Case[] = [
  { name: 'long rows from the front', shape: ['batch', 16, 8, 8], permutation: [2, 3, 0, 1], operators: twice },
  { name: 'long rows to the front', shape: [8, 8, 'batch', 16], permutation: [2, 3, 0, 1], operators: twice },
  { name: 'a batch that is merged', shape: ['batch*32', 16, 4, 2, 8], permutation: [2, 3, 4, 0, 1], operators: twice },
  { name: 'without a batch', shape: [32, 16, 3, 3], permutation: [2, 3, 0, 1], operators: once },
  { name: 'short rows', shape: ['batch', 2, 8, 8], permutation: [2, 3, 0, 1], operators: once },
  { name: 'one axis to the back', shape: ['batch', 3, 2, 4], permutation: [1, 2, 3, 0], operators: once },
  { name: 'two axes', shape: ['batch', 3], permutation: [1, 0], operators: ['Transpose'] },
  { name: 'two free axes', shape: ['batch', 3, 'batch'], permutation: [1, 2, 0], operators: ['Transpose'] },
  { name: 'no rotation', shape: ['batch', 16, 8, 8], permutation: [0, 2, 1, 3], operators: ['Transpose'] },
];

describe('transposes for ONNX Runtime', () => {
  it.each(cases)('$name', async ({ shape, permutation, operators }) => {
    const builder = new GraphBuilder();
    const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape });
    const graph = builder.build([{ name: 'y', value: transpose(builder, x, permutation) }]);
    expect(decodeModel(exportOnnx(graph)).graph?.node.map(({ opType }) => opType)).toEqual(operators);
    const inputs = { x: randomTensor(resolveShape(shape, 3), uniform(2)) };
    const [actual, expected] = [await runOrt(graph, inputs), runReference(graph, inputs)];
    expect(differences(actual['y'], expected['y']?.data, 1e-7)).toEqual([]);
  });
});
