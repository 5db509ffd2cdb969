/** One operator of TensorFlow: what this room makes of a file beside what tfjs makes of it. */
import '@tensorflow/tfjs-backend-cpu';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { parametersOf } from '../../queries.js';
import type { ReferenceTensor } from '../../reference-tensor.js';
import { runReference } from '../../run-reference.js';
import { differences, randomTensor, uniform } from '../../testing/numbers.js';
import { importGraphModel } from '../graph-model.js';
import { GraphFile, type } from './graph-files.js';

const EXAMPLES = 3;

type Make = (file: GraphFile, x: string) => unknown;
export type Case = readonly [name: string, shape: readonly number[], make: Make];

/** The attribute that says what an operator calculates with. */
export const floats = { T: type('DT_FLOAT') };

/** What real tfjs makes of the same file. */
async function theirs(file: GraphFile, x: ReferenceTensor): Promise<ArrayLike<number>> {
  const { modelTopology, weightsManifest } = file.json();
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights) as tf.io.WeightsManifestEntry[];
  const artifacts = { modelTopology, weightSpecs, weightData: file.bytes.buffer };
  const model = await loadGraphModel(tf.io.fromMemory(artifacts));
  const last = file.nodes.at(-1)?.name ?? '';
  const result = model.execute({ x: tf.tensor(Float32Array.from(x.data), [...x.shape]) }, last) as tf.Tensor;
  return result.dataSync();
}

function ours(file: GraphFile, x: ReferenceTensor): ArrayLike<number> | undefined {
  const graph = importGraphModel(file.json(), { external: () => file.bytes });
  const values = Object.fromEntries(
    parametersOf(graph).map(({ name, shape, initial }) => [
      name,
      { shape: shape as readonly number[], data: Float64Array.from(initial ?? []) },
    ]),
  );
  return runReference(graph, { ...values, x })[graph.outputs[0]?.name ?? '']?.data;
}

/** The last node is the result, for one input of this shape after the axis of the examples. */
export function describeBesideTfjs(cases: readonly Case[]): void {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  describe.each(cases)('TensorFlow operator %s', (_, shape, make) => {
    it('gives what tfjs gives', async () => {
      const file = new GraphFile();
      make(file, file.placeholder('x', [-1, ...shape]));
      const x = randomTensor([EXAMPLES, ...shape], uniform(7));
      expect(differences(ours(file, x), await theirs(file, x), 3e-6)).toEqual([]);
    });
  });
}
