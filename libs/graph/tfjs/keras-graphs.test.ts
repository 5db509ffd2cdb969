import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parametersOf } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { differences } from '../testing/numbers.js';
import { importTfjs } from './import-model.js';

interface Check {
  readonly check: { readonly shape: readonly number[]; readonly x: readonly number[]; readonly y: readonly number[] };
}

// Made by test/golden/tensorflow/make.py.
describe.each(['convolutional', 'transformer'])('the graph that TensorFlow makes of a Keras network - %s', (name) => {
  const text = readFileSync(new URL(`../../../test/golden/tensorflow/${name}.json`, import.meta.url), 'utf8');
  const { check } = JSON.parse(text) as Check;

  it('gives what TensorFlow gives', () => {
    const graph = importTfjs(text);
    const parameters = parametersOf(graph).map(
      (input) => [input.name, referenceTensor(input.shape as number[], input.initial ?? [])] as const,
    );
    expect(parameters.length).toBeGreaterThan(8);
    const inputs = { ...Object.fromEntries(parameters), x: referenceTensor(check.shape, check.x) };
    expect(differences(runReference(graph, inputs)[graph.outputs[0]?.name ?? '']?.data, check.y, 1e-5)).toEqual([]);
  });
});
