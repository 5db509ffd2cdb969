/** Derivatives of small convolutional networks, as they are and as products of matrices. */
import { describe, expect, it } from 'vitest';
import { gradient } from '../gradient.js';
import { linearize } from '../linearize.js';
import { parametersOf } from '../queries.js';
import { runReference } from '../run-reference.js';
import { convolutionalNetworks } from '../testing/convolutional-networks.js';
import { join, referenceLinearization, split } from '../testing/hessian.js';
import { differences, randomInputs } from '../testing/numbers.js';
import { runOrt } from '../testing/ort.js';
import { spatialFirst } from './spatial-first.js';

const BATCH = 3;
const STEP = 1e-5;
const forms = convolutionalNetworks.flatMap(({ name, training }) => [
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
    // Columns of all parameters, and not so many that it takes long.
    for (let i = 0; i < theta.length; i += 3) {
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
