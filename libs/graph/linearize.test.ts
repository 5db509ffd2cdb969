import { describe, expect, it } from 'vitest';
import { attachLoss } from './attach-loss.js';
import { gradient } from './gradient.js';
import type { Graph, LossSpec } from './graph.js';
import { forVectors, linearize } from './linearize.js';
import { mlp } from './networks.js';
import type { MlpSpec } from './networks.js';
import { inputsOf, parametersOf } from './queries.js';
import { runReference } from './run-reference.js';
import { join, referenceLinearization, split } from './testing/hessian.js';
import { differences, randomInputs, uniform } from './testing/numbers.js';

const BATCH = 5;
const STEP = 1e-5;

const losses: readonly LossSpec[] = [
  { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false },
  { kind: 'mse', reduction: 'sum-outputs', halved: false },
  { kind: 'mse', reduction: 'sum-outputs', halved: true },
  { kind: 'mse', reduction: 'mean-outputs', halved: false },
  { kind: 'mse', reduction: 'mean-outputs', halved: true },
];
const activations: readonly MlpSpec['activation'][] = ['tanh', 'relu', 'sigmoid', 'linear'];
const cases = activations.flatMap((activation) => losses.map((loss) => ({ activation, loss, ...loss })));

function flatParameters(training: Graph, inputs: ReturnType<typeof randomInputs>): number[] {
  return join(
    inputs,
    parametersOf(training).map(({ name }) => name),
  );
}

describe.each(cases)('$activation with $kind, $reduction, halved $halved', ({ activation, loss }) => {
  const training = attachLoss(mlp({ sizes: [3, 4, 2, 3], activation }), loss);
  const inputs = randomInputs(training, BATCH, 11);
  const theta = flatParameters(training, inputs);
  const withGradient = gradient(training);
  const names = parametersOf(training).map(({ name }) => name);
  const at = (moved: readonly number[]): { loss: number; gradient: number[] } => {
    const values = runReference(withGradient.graph, { ...inputs, ...split(training, moved, names) });
    return { loss: values[withGradient.loss]?.data[0] ?? Number.NaN, gradient: join(values, withGradient.gradients) };
  };
  const moveOne = (i: number, by: number): number[] => theta.map((x, j) => (i === j ? x + by : x));
  const hessian = referenceLinearization(linearize(training), training, inputs);

  it('gradient equals central differences of the loss', () => {
    const slopes = theta.map((_, i) => (at(moveOne(i, STEP)).loss - at(moveOne(i, -STEP)).loss) / (2 * STEP));
    expect(differences(at(theta).gradient, slopes, 1e-7)).toEqual([]);
  });

  it('primal part gives the same loss and gradient', () => {
    expect(hessian.loss).toBe(at(theta).loss);
    expect(hessian.gradient).toEqual(at(theta).gradient);
  });

  it('products with unit vectors are the dense Hessian by differences of the gradient', () => {
    const dense = theta.flatMap((_, i) => {
      const [after, before] = [at(moveOne(i, STEP)).gradient, at(moveOne(i, -STEP)).gradient];
      return after.map((x, j) => (x - (before[j] ?? Number.NaN)) / (2 * STEP));
    });
    const products = theta.flatMap((_, i) => hessian.multiply(theta.map((__, j) => (i === j ? 1 : 0))));
    expect(differences(products, dense, 1e-7)).toEqual([]);
  });

  it('Hessian is symmetric and linear', () => {
    const next = uniform(3);
    const [v, w] = [theta.map(next), theta.map(next)];
    const [hv, hw] = [hessian.multiply(v), hessian.multiply(w)];
    const along = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? Number.NaN), 0);
    expect(differences([along(w, hv)], [along(v, hw)], 1e-12)).toEqual([]);
    const combined = hessian.multiply(v.map((x, i) => 2 * x - (w[i] ?? Number.NaN)));
    const expected = hv.map((x, i) => 2 * x - (hw[i] ?? Number.NaN));
    expect(differences(combined, expected, 1e-12)).toEqual([]);
  });
});

describe('linearize', () => {
  const training = attachLoss(mlp({ sizes: [6, 4, 3], activation: 'tanh' }), losses[0]!);
  const linearized = linearize(training);
  const { primal, tangent } = linearized;
  const inputs = randomInputs(training, BATCH, 2);
  const reference = referenceLinearization(linearized, training, inputs);
  const next = uniform(5);
  const vectors = [0, 1, 2].map(() => reference.gradient.map(next));

  it('several vectors at once give what one at a time gives', () => {
    const block = forVectors(tangent, vectors.length);
    const kept = runReference(primal.graph, inputs);
    const feeds = vectors.map((vector, k) => split(training, vector, block.vectors[k] ?? []));
    const results = runReference(block.graph, Object.assign({}, inputs, kept, ...feeds) as typeof kept);
    vectors.forEach((vector, k) => expect(join(results, block.products[k] ?? [])).toEqual(reference.multiply(vector)));
  });

  it('chunks of examples add up', () => {
    const pieces = [inputs, randomInputs(training, 3, 8), randomInputs(training, 1, 9)].map((piece) => ({ ...inputs, ...piece }));
    const theta = split(
      training,
      flatParameters(training, inputs),
      parametersOf(training).map(({ name }) => name),
    );
    const whole = { ...inputs, ...theta };
    for (const { name } of [...inputsOf(training, 'data'), ...inputsOf(training, 'target')]) {
      const parts = pieces.map((piece) => piece[name]!);
      const data = Float64Array.from(parts.flatMap((part) => [...part.data]));
      whole[name] = { shape: [BATCH + 4, ...parts[0]!.shape.slice(1)], data };
    }
    const all = referenceLinearization(linearized, training, whole);
    const chunks = pieces.map((piece) => referenceLinearization(linearized, training, { ...piece, ...theta }));
    const vector = vectors[0]!;
    const sum = (of: (chunk: typeof all) => number[]): number[] =>
      chunks.map(of).reduce((total, part) => total.map((x, i) => x + (part[i] ?? Number.NaN)));
    expect(
      differences(
        [all.loss],
        sum((chunk) => [chunk.loss]),
        1e-12,
      ),
    ).toEqual([]);
    expect(
      differences(
        all.gradient,
        sum((chunk) => chunk.gradient),
        1e-12,
      ),
    ).toEqual([]);
    expect(
      differences(
        all.multiply(vector),
        sum((chunk) => chunk.multiply(vector)),
        1e-12,
      ),
    ).toEqual([]);
  });

  it('what depends on the vector touches the data of the first layer twice, and nothing of the target', () => {
    const uses = tangent.graph.nodes.filter((node) => node.inputs.includes('x'));
    expect(uses.map((node) => node.op)).toEqual(['matmul', 'matmul']);
    expect(inputsOf(tangent.graph, 'target')).toEqual([]);
    expect(tangent.graph.nodes.map((node) => node.op)).not.toContain('tanh');
  });

  it('factors that do not depend on the vector are multiplied in the primal part', () => {
    const kept = new Set(inputsOf(tangent.graph, 'kept').map(({ name }) => name));
    const productsOfKept = new Set(
      tangent.graph.nodes
        .filter((node) => node.op === 'mul' && node.inputs.some((name) => kept.has(name)))
        .map((node) => node.output),
    );
    const chained = tangent.graph.nodes.filter(
      ({ op, inputs: names }) =>
        op === 'mul' && names.some((name) => kept.has(name)) && names.some((name) => productsOfKept.has(name)),
    );
    expect(chained).toEqual([]);
  });

  it('the same network gives the same graphs', () => {
    expect(JSON.stringify(linearize(training))).toBe(JSON.stringify(linearized));
  });

  it('a parameter that the loss does not depend on has a zero gradient and a zero product', () => {
    const unused: Graph = {
      ...training,
      inputs: [{ name: 'unused', role: 'parameter', dtype: 'float32', shape: [2, 2] }, ...training.inputs],
    };
    const values = { ...inputs, unused: { shape: [2, 2], data: new Float64Array(4) } };
    const result = referenceLinearization(linearize(unused), unused, values);
    expect(result.gradient.slice(0, 4)).toEqual([0, 0, 0, 0]);
    const product = result.multiply([1, 2, 3, 4, ...vectors[0]!]);
    expect(product.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(product.slice(4)).toEqual(reference.multiply(vectors[0]!));
  });

  it('a network of three thousand layers', () => {
    const sizes = Array.from({ length: 3001 }, () => 1);
    const deep = attachLoss(mlp({ sizes, activation: 'tanh', bias: false }), losses[1]!);
    const parts = forVectors(linearize(deep).tangent, 2);
    expect(parts.products[1]).toHaveLength(3000);
  });

  it('NaN in a parameter is NaN in loss, gradient and product', () => {
    const broken = { ...inputs, 'layer1.bias': { shape: [4], data: Float64Array.of(Number.NaN, 0, 0, 0) } };
    const result = referenceLinearization(linearized, training, broken);
    expect(result.loss).toBeNaN();
    expect(result.gradient.some(Number.isNaN)).toBe(true);
    expect(result.multiply(vectors[0]!).some(Number.isNaN)).toBe(true);
  });
});
