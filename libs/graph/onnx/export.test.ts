import { describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { GraphBuilder } from '../builder.js';
import { forward, reverse } from '../differentiate.js';
import { mul, reduceSum } from '../emit.js';
import type { Graph } from '../graph.js';
import { forVectors, linearize } from '../linearize.js';
import { mlp } from '../networks.js';
import type { MlpSpec } from '../networks.js';
import { runReference } from '../run-reference.js';
import { resolveShape } from '../shapes.js';
import { differences, randomInputs, randomTensor, uniform } from '../testing/numbers.js';
import { runOrt } from '../testing/ort.js';
import { samples } from '../samples/samples.js';
import type { Sample } from '../samples/sample.js';
import { exportOnnx } from './export.js';
import { importOnnx } from './import.js';
import { decodeModel } from './proto.js';

const BATCH = 4;
const FLOAT32_TOLERANCE = 2e-5;

/** The sample, its reverse derivative and the forward derivative of that. */
function derivatives(sample: Sample): Graph {
  const builder = new GraphBuilder();
  const inputs = sample.inputs.map((shape, i) => builder.input({ name: `x${i}`, role: 'data', dtype: 'float32', shape }));
  builder.input({ name: 'examples', role: 'data', dtype: 'float32', shape: ['batch'] });
  const y = sample.make(builder, inputs);
  const axes = y.shape.map((_, axis) => axis);
  const gradients = reverse(builder, reduceSum(builder, mul(builder, y, mul(builder, y, y)), axes), inputs).flatMap((g) =>
    g ? [g] : [],
  );
  const second = forward(builder, gradients, new Map(inputs.map((input) => [input, input])));
  const values = [y, ...gradients, ...second.flatMap((value) => (value ? [value] : []))];
  return builder.build(values.map((value, i) => ({ name: `value${i}`, value })));
}

async function expectSameInOrt(graph: Graph, inputs: ReturnType<typeof randomInputs>): Promise<string[]> {
  const [expected, actual] = [runReference(graph, inputs), await runOrt(graph, inputs)];
  return graph.outputs.flatMap(({ name }) =>
    differences(actual[name], expected[name]?.data, FLOAT32_TOLERANCE).map((difference) => `${name} ${difference}`),
  );
}

describe('ONNX Runtime computes what the reference interpreter computes', () => {
  it.each(samples)('$op - $case', async (sample) => {
    const graph = derivatives(sample);
    const next = uniform(5);
    const inputs = Object.fromEntries(
      graph.inputs.map(({ name, shape }) => [name, randomTensor(resolveShape(shape, BATCH), next, sample.range)]),
    );
    expect(await expectSameInOrt(graph, inputs)).toEqual([]);
  });

  const activations: readonly MlpSpec['activation'][] = ['tanh', 'relu', 'sigmoid'];
  it.each(activations)('loss, primal and tangent of a network - %s', async (activation) => {
    const network = mlp({ sizes: [5, 4, 3], activation });
    const training = attachLoss(network, { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false });
    const { primal, tangent } = linearize(training);
    for (const graph of [training, primal.graph, tangent.graph, forVectors(tangent, 3).graph]) {
      expect(await expectSameInOrt(graph, randomInputs(graph, BATCH))).toEqual([]);
    }
  });
});

describe('exportOnnx', () => {
  const network = mlp({ sizes: [5, 4, 3], activation: 'tanh' });

  it('what it writes is read back as the same network', () => {
    const parameters = network.inputs.filter((input) => input.role === 'parameter').map((input) => input.name);
    const again = importOnnx(exportOnnx(network), { parameters });
    const inputs = randomInputs(network, BATCH);
    expect(runReference(again, inputs)).toEqual(runReference(network, inputs));
  });

  it('is the same file each time', () => {
    expect(exportOnnx(network)).toEqual(exportOnnx(network));
  });

  it('an input that is an output, and one value under two names, are copies', async () => {
    const builder = new GraphBuilder();
    const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 2] });
    const y = builder.apply('tanh', [x]);
    const graph = builder.build([
      { name: 'same', value: x },
      { name: 'first', value: y },
      { name: 'second', value: y },
    ]);
    expect(decodeModel(exportOnnx(graph)).graph?.node.map((node) => node.opType)).toEqual(['Tanh', 'Identity', 'Identity']);
    expect(await expectSameInOrt(graph, randomInputs(graph, 3))).toEqual([]);
  });

  it('NaN and infinities pass through', async () => {
    const builder = new GraphBuilder();
    const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch'] });
    const relu = builder.apply('relu', [x]);
    const graph = builder.build([
      { name: 'relu', value: relu },
      { name: 'times', value: mul(builder, relu, x) },
    ]);
    const inputs = { x: { shape: [4], data: Float64Array.of(Number.NaN, Infinity, -Infinity, -1) } };
    expect(await expectSameInOrt(graph, inputs)).toEqual([]);
  });
});
