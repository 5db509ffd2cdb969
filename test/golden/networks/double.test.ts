import { describe, expect, it } from 'vitest';
import { inputsOf, linearize, oneHot, parametersOf, referenceTensor, runReference, type Graph } from '#graph/index.js';
import { cases, probeSetOf, relativeErrors, thetaOf, trainingGraph, vectorOf, type Golden } from './golden.js';

type Tensors = Record<string, ReturnType<typeof referenceTensor>>;

function split(graph: Graph, flat: ArrayLike<number>, inputs: readonly string[]): Tensors {
  const numbers = Array.from(flat);
  let offset = 0;
  return Object.fromEntries(
    parametersOf(graph).map(({ shape }, i) => {
      const sizes = shape.map(Number);
      const size = sizes.reduce((a, b) => a * b, 1);
      return [inputs[i] ?? '', referenceTensor(sizes, numbers.slice(offset, (offset += size)))];
    }),
  );
}

/** In double precision: gradient and product, as means over the examples. */
function inReference(graph: Graph, golden: Golden): { loss: number; gradient: number[]; product: number[] } {
  const { primal, tangent } = linearize(graph);
  const { x, y } = probeSetOf(golden);
  const [data, target] = [inputsOf(graph, 'data')[0], inputsOf(graph, 'target')[0]];
  const targets = golden.target === 'values' ? (y.data as Float32Array) : oneHot(y.data, golden.classes);
  const targetShape = golden.target === 'values' ? y.shape : [...y.shape, golden.classes];
  const inputs: Tensors = {
    ...split(graph, thetaOf(golden), parametersOf(graph).map(({ name }) => name)),
    [data?.name ?? '']: referenceTensor(x.shape, Float64Array.from(x.data as Float32Array, Number)),
    [target?.name ?? '']: referenceTensor(targetShape, targets),
  };
  const join = (values: Tensors, outputs: readonly string[]): number[] =>
    outputs.flatMap((name) => Array.from(values[name]?.data ?? [], (sum) => sum / golden.examples));
  const kept = runReference(primal.graph, inputs);
  const moved = runReference(tangent.graph, { ...inputs, ...kept, ...split(graph, vectorOf(golden), tangent.vectors[0] ?? []) });
  return {
    loss: (kept[primal.loss]?.data[0] ?? Number.NaN) / golden.examples,
    gradient: join(kept, primal.gradients),
    product: join(moved, tangent.products[0] ?? []),
  };
}

/** The old exporter writes √2 and its like in single precision where it takes GELU apart. */
const rounded = new Set(['mlp.old', 'convnext.old', 'vit.old', 'gpt.old', 'gpt-attention.old']);

describe.each(cases)('$name by the $exporter exporter', ({ name, exporter, golden }) => {
  it('in double precision: loss, gradient and product of PyTorch', () => {
    const tolerance = rounded.has(`${name}.${exporter}`) ? 1e-7 : 1e-9;
    const { loss, gradient, product } = inReference(trainingGraph(name, exporter, golden), golden);
    expect(Math.abs(loss / golden.loss - 1)).toBeLessThan(tolerance);
    const errors = { gradient: relativeErrors(gradient, golden.gradient), product: relativeErrors(product, golden.product) };
    expect(errors.gradient.norm).toBeLessThan(tolerance);
    expect(errors.gradient.coordinates).toBeLessThan(tolerance);
    expect(errors.product.norm).toBeLessThan(tolerance);
    expect(errors.product.coordinates).toBeLessThan(tolerance);
  });
});
