import { describe, expect, it } from 'vitest';
import { attachLoss } from './attach-loss.js';
import { GraphBuilder } from './builder.js';
import { matmul, mul, reduceSum, tanh } from './emit.js';
import { UnsupportedModel } from './errors.js';
import { gaussNewton, generalizedFisher } from './gauss-newton.js';
import { gradient } from './gradient.js';
import type { Graph, LinearizedGraph } from './graph.js';
import { keepWithin } from './keep.js';
import { linearize } from './linearize.js';
import { mlp } from './networks.js';
import { perExampleGradient } from './per-example.js';
import { jvp, vjp } from './prediction-derivatives.js';
import { parametersOf } from './queries.js';
import { referenceTensor, type ReferenceTensor } from './reference-tensor.js';
import { runReference, type ReferenceValues } from './run-reference.js';
import { factorOf, freeAxes } from './shapes.js';
import { join, referenceLinearization, split } from './testing/hessian.js';
import { differences, dot, randomInputs, uniform } from './testing/numbers.js';
import { smallNetworks } from './testing/small-networks.js';

const BATCH = 4;

function inputsFor(training: Graph): ReferenceValues {
  const inputs: Record<string, ReferenceTensor> = randomInputs(training, BATCH, 3);
  for (const { name, dtype } of training.inputs) {
    if (dtype !== 'int64') continue;
    const { shape, data } = inputs[name]!;
    inputs[name] = referenceTensor(
      shape,
      data.map((_, i) => (3 * i + 1) % 5),
    );
  }
  return inputs;
}

/** The inputs of one example; parameters as they are. */
const only = (training: Graph, inputs: ReferenceValues, example: number): ReferenceValues =>
  Object.fromEntries(
    training.inputs.map(({ name, shape: declared }) => {
      const { shape, data } = inputs[name]!;
      if (freeAxes(declared) === 0) return [name, inputs[name]!];
      const size = data.length / BATCH;
      const rows = factorOf(declared[0] ?? 1);
      return [name, referenceTensor([rows, ...shape.slice(1)], data.slice(example * size, (example + 1) * size))];
    }),
  );

describe.each(smallNetworks)('$name', ({ training, loss }) => {
  const inputs = inputsFor(training);
  const parameters = parametersOf(training);
  const names = parameters.map(({ name }) => name);
  const theta = join(inputs, names);
  const next = uniform(8);
  const vector = theta.map(next);
  const at = (moved: readonly number[]): ReferenceValues => ({ ...inputs, ...split(training, moved, names) });

  const forward = jvp(training);
  const tangentAlong = (v: readonly number[]): number[] => [
    ...runReference(forward.graph, { ...inputs, ...split(training, v, forward.vectors) })['tangent']!.data,
  ];
  const backward = vjp(training);
  const { shape } = runReference(training, inputs)['prediction']!;
  const pulled = (u: readonly number[]): number[] =>
    join(runReference(backward.graph, { ...inputs, cotangent: referenceTensor(shape, u) }), backward.gradients);

  it('jvp of the prediction equals central differences', () => {
    const step = 1e-6;
    const moved = (s: number) => runReference(training, at(theta.map((x, i) => x + s * vector[i]!)))['prediction']!.data;
    const [ahead, behind] = [moved(step), moved(-step)];
    expect(
      differences(
        tangentAlong(vector),
        ahead.map((x, i) => (x - behind[i]!) / (2 * step)),
        1e-7,
      ),
    ).toEqual([]);
  });

  it('vjp is the adjoint of jvp', () => {
    const u = tangentAlong(vector).map(next);
    expect(differences([dot(u, tangentAlong(vector))], [dot(pulled(u), vector)], 1e-10)).toEqual([]);
  });

  /** H_L by the prediction, times a direction, in closed form. */
  const curved = (direction: readonly number[]): number[] => {
    const prediction = [...runReference(training, inputs)['prediction']!.data];
    const outputs = prediction.length / BATCH;
    const rows = Array.from({ length: BATCH }, (_, i) => i);
    const row = (values: readonly number[], i: number) => values.slice(i * outputs, (i + 1) * outputs);
    if (loss.kind === 'mse') return direction.map((x) => (2 / outputs) * x);
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    if (loss.kind !== 'cross-entropy') return direction.map((x, i) => sigmoid(prediction[i]!) * sigmoid(-prediction[i]!) * x);
    return rows.flatMap((i) => {
      const [logits, d] = [row(prediction, i), row(direction, i)];
      const sum = logits.reduce((all, x) => all + Math.exp(x), 0);
      const p = logits.map((x) => Math.exp(x) / sum);
      return p.map((pc, c) => pc * (d[c]! - dot(p, d)));
    });
  };
  const expected = (): number[] => {
    const back = pulled(curved(tangentAlong(vector)));
    return back.map((x, i) => x + BATCH * (loss.weightDecay?.strength ?? 0) * vector[i]!);
  };

  it.each([
    ['Gauss-Newton', gaussNewton(training)],
    ['Fisher', generalizedFisher(training, loss)],
  ])('%s product equals the one made of Jacobians', (_, linearized) => {
    const product = referenceLinearization(linearized, training, inputs);
    expect(differences(product.multiply(vector), expected(), 1e-10)).toEqual([]);
    const plain = referenceLinearization(linearize(training), training, inputs);
    expect(differences([product.loss, ...product.gradient], [plain.loss, ...plain.gradient], 1e-12)).toEqual([]);
  });

  it('gradients of single examples are those of chunks of one', () => {
    const derived = perExampleGradient(training);
    const together = runReference(derived.graph, inputs);
    const whole = gradient(training);
    for (let example = 0; example < BATCH; example++) {
      const alone = runReference(whole.graph, only(training, inputs, example));
      for (const [i, name] of derived.gradients.entries()) {
        const { shape: stacked, data } = together[name]!;
        expect(stacked).toEqual([BATCH, ...parameters[i]!.shape]);
        const size = data.length / BATCH;
        expect(
          differences(data.slice(example * size, (example + 1) * size), alone[whole.gradients[i]!]!.data, 1e-12),
          `${name} of example ${example}`,
        ).toEqual([]);
      }
    }
  });

  it('a diagonal block comes from a vector that is zero elsewhere', () => {
    const dense = referenceLinearization(linearize(training), training, inputs);
    const sizes = parameters.map(({ shape: of }) => of.reduce<number>((n, dim) => n * Number(dim), 1));
    const first = vector.map((x, i) => (i < sizes[0]! ? x : 0));
    const second = theta.map((_, i) => (i < sizes[0]! ? next() : 0));
    expect(differences([dot(dense.multiply(first), second)], [dot(dense.multiply(second), first)], 1e-10)).toEqual([]);
  });

  const keptNumbers = ({ primal }: LinearizedGraph): number =>
    primal.graph.outputs
      .filter(({ name }) => primal.kept.includes(name))
      .reduce((sum, { shape: of }) => sum + of.reduce<number>((n, dim) => n * factorOf(dim), 1) * BATCH ** freeAxes(of), 0);

  it.each([0, 0.3, 0.6, 1])('keeps less where it must, with the same products (%d of the bytes)', (share) => {
    const full = linearize(training);
    const bytes = 4 * keptNumbers(full);
    const fewer = keepWithin(full, BATCH, share * bytes);
    expect(fewer === full || keptNumbers(fewer) < keptNumbers(full)).toBe(true);
    expect(share < 1 || fewer === full).toBe(true);
    const [a, b] = [full, fewer].map((each) => referenceLinearization(each, training, inputs).multiply(vector));
    expect(differences(b, a, 1e-11)).toEqual([]);
  });
});

describe('keepWithin', () => {
  it('gives up what is cheap, and nothing that needs a matrix product', () => {
    const full = linearize(attachLoss(mlp({ sizes: [8, 16, 16, 4], activation: 'tanh' }), smallNetworks[0]!.loss));
    const least = keepWithin(full, 100, 0);
    expect(least.primal.kept.length).toBeLessThan(full.primal.kept.length);
    const count = (graph: Graph, op: string): number => graph.nodes.filter((node) => node.op === op).length;
    expect(count(least.tangent.graph, 'matmul')).toBe(count(full.tangent.graph, 'matmul'));
    expect(count(least.tangent.graph, 'mul')).toBeGreaterThan(count(full.tangent.graph, 'mul'));
  });
});

describe('generalizedFisher', () => {
  it('is the covariance of gradients for labels that the model draws', () => {
    const { training, loss } = smallNetworks[0]!;
    const inputs = inputsFor(training);
    const names = parametersOf(training).map(({ name }) => name);
    const vector = join(inputs, names).map(uniform(4));
    const whole = gradient(training);
    const total = vector.map(() => 0);
    for (let example = 0; example < BATCH; example++) {
      const one = only(training, inputs, example);
      const logits = [...runReference(training, one)['prediction']!.data];
      const sum = logits.reduce((all, x) => all + Math.exp(x), 0);
      for (const [c, logit] of logits.entries()) {
        const label = referenceTensor(
          [1, logits.length],
          logits.map((_, k) => (k === c ? 1 : 0)),
        );
        const slope = join(runReference(whole.graph, { ...one, target: label }), whole.gradients);
        const along = (Math.exp(logit) / sum) * dot(slope, vector);
        slope.forEach((x, i) => (total[i]! += along * x));
      }
    }
    const product = referenceLinearization(generalizedFisher(training, loss), training, inputs).multiply(vector);
    expect(differences(product, total, 1e-10)).toEqual([]);
  });

  it('refuses a loss that is no likelihood, and one that is not made of the prediction', () => {
    const forward = mlp({ sizes: [2, 2], activation: 'tanh' });
    const spec = { kind: 'huber', reduction: 'sum-outputs', halved: false } as const;
    expect(() => generalizedFisher(attachLoss(forward, spec), spec)).toThrow(UnsupportedModel);
    const builder = new GraphBuilder();
    const weight = builder.input({ name: 'w', role: 'parameter', dtype: 'float32', shape: [2, 2] });
    const linear = matmul(builder, builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 2] }), weight);
    const own = builder.build([
      { name: 'shown', value: tanh(builder, linear) },
      { name: 'own', value: reduceSum(builder, mul(builder, linear, linear), [1]) },
    ]);
    const attached = attachLoss(own, { kind: 'output', output: 'own', reduction: 'sum-outputs', halved: false });
    expect(() => gaussNewton(attached)).toThrow(UnsupportedModel);
  });
});
