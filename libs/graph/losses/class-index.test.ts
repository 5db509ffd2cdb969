import { describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { GraphBuilder } from '../builder.js';
import { mul } from '../emit.js';
import { gaussNewton } from '../gauss-newton.js';
import { gradient } from '../gradient.js';
import type { Graph, LinearizedGraph, LossSpec } from '../graph.js';
import { linearize } from '../linearize.js';
import { mixesExamples } from '../mixes-examples.js';
import { mlp } from '../networks.js';
import { perExampleGradient } from '../per-example.js';
import { inputsOf } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { formsOf, lossCases, targetOf, tensorOf, trainingOf, type LossCase } from '../testing/loss-cases.js';
import { differences } from '../testing/numbers.js';
import { runOrt } from '../testing/ort.js';

type Tensors = Readonly<Record<string, ReferenceTensor>>;
const cases = lossCases.filter((each) => formsOf(each).includes('index'));

const inputsFor = (training: Graph, each: LossCase): Tensors => ({
  x: tensorOf(each.x),
  w: tensorOf(each.w),
  target: targetOf(training, each),
});

/** Sums over the examples: the product with the case's vector. */
function productOf({ primal, tangent }: LinearizedGraph, inputs: Tensors, each: LossCase): readonly number[] {
  const kept = runReference(primal.graph, inputs);
  const moved = runReference(tangent.graph, { ...inputs, ...kept, [tangent.vectors[0]![0]!]: tensorOf(each.v) });
  return [...moved[tangent.products[0]![0]!]!.data];
}

describe.each(cases)('class indices do what one-hot rows do - $name', (each) => {
  const [rows, indices] = [trainingOf(each, 'one-hot'), trainingOf(each, 'index')];
  const [withRows, withIndices] = [inputsFor(rows, each), inputsFor(indices, each)];

  it('Gauss-Newton products', () => {
    const expected = productOf(gaussNewton(rows), withRows, each);
    expect(differences(productOf(gaussNewton(indices), withIndices, each), expected, 1e-12)).toEqual([]);
  });

  it('the gradients of single examples, which stay apart', () => {
    expect(mixesExamples(indices)).toBe(false);
    const [expected, actual] = [perExampleGradient(rows), perExampleGradient(indices)];
    expect(
      differences(
        runReference(actual.graph, withIndices)[actual.gradients[0]!]?.data,
        runReference(expected.graph, withRows)[expected.gradients[0]!]?.data,
        1e-12,
      ),
    ).toEqual([]);
  });

  it('in ONNX Runtime', async () => {
    const { primal, tangent } = linearize(indices);
    const examples = primal.weights === undefined ? (each.x.shape[0] ?? 1) : undefined;
    const kept = await runOrt(primal.graph, withIndices);
    const weights = examples ?? kept[primal.weights!]!.reduce((a, b) => a + b, 0);
    const mean = (sums: Float32Array): number[] => Array.from(sums, (sum) => sum / weights);
    expect(differences(mean(kept[primal.loss]!), [each.loss], 1e-6)).toEqual([]);
    expect(differences(mean(kept[primal.gradients[0]!]!), each.gradient, 1e-5)).toEqual([]);
    const shapes = new Map(tangent.graph.inputs.map(({ name, shape }) => [name, shape]));
    const again = Object.fromEntries(
      primal.kept.map((name) => {
        const shape = (shapes.get(name) ?? []).map((dim) => (typeof dim === 'number' ? dim : (each.x.shape[0] ?? 1)));
        return [name, referenceTensor(shape, kept[name]!)];
      }),
    );
    const moved = await runOrt(tangent.graph, { ...withIndices, ...again, [tangent.vectors[0]![0]!]: tensorOf(each.v) });
    expect(differences(mean(moved[tangent.products[0]![0]!]!), each.product, 1e-5)).toEqual([]);
  });
});

describe('targets of many classes', () => {
  const spec: LossSpec = { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false };
  const classifier = (classes: number, more: Partial<LossSpec> = {}): Graph =>
    attachLoss(mlp({ sizes: [4, classes], activation: 'tanh' }), { ...spec, ...more });

  it('are indices, those of few classes one-hot', () => {
    expect(inputsOf(classifier(256), 'target')).toMatchObject([{ encoding: 'one-hot', shape: ['batch', 256], dtype: 'float32' }]);
    expect(inputsOf(classifier(257, { ignoredClass: -100 }), 'target')).toMatchObject([
      { encoding: 'index', shape: ['batch'], dtype: 'int64', classes: 257, ignoredClass: -100 },
    ]);
  });

  it('an index that is ignored picks nothing, whatever it is, and its loss is nothing, whatever the model says', () => {
    const training = classifier(300, { ignoredClass: -100 });
    const size = 300;
    const inputs = {
      'layer1.weight': referenceTensor([4, size], new Float64Array(4 * size)),
      'layer1.bias': referenceTensor([size], new Float64Array(size)),
      x: referenceTensor([2, 4], [1, 2, 3, 4, Number.NaN, 0, 0, 0]),
      target: referenceTensor([2], [299, -100]),
    };
    const results = runReference(training, inputs);
    expect([...results['losses']!.data]).toEqual([Math.log(300), 0]);
    expect([...results['weights']!.data]).toEqual([1, 0]);
  });

  it('pick a probability before its logarithm, so that those of other classes may be 0', () => {
    const builder = new GraphBuilder();
    const w = builder.input({ name: 'w', role: 'parameter', dtype: 'float32', shape: [3] });
    const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 3] });
    const forward = builder.build([{ name: 'p', value: mul(builder, x, w), meaning: 'probabilities' }]);
    const { graph, losses, gradients } = gradient(attachLoss(forward, spec, { maxOneHotClasses: 0 }));
    const results = runReference(graph, {
      w: referenceTensor([3], [1, 1, 1]),
      x: referenceTensor([1, 3], [0, 0.25, 0.75]),
      target: referenceTensor([1], [1]),
    });
    expect([...results[losses]!.data]).toEqual([-Math.log(0.25)]);
    expect(Array.from(results[gradients[0]!]!.data, (g) => g + 0)).toEqual([0, -1, 0]);
  });

  it('are not needed by products: no tensor of the classes but one is kept', () => {
    const { primal, tangent } = linearize(classifier(5000));
    expect(inputsOf(tangent.graph, 'target')).toEqual([]);
    const kept = primal.graph.outputs.filter(({ name }) => primal.kept.includes(name));
    expect(kept.filter(({ shape }) => shape.includes(5000)).map(({ shape }) => shape)).toEqual([['batch', 5000]]);
  });
});
