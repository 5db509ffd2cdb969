import { inputsOf, linearize, oneHot, parametersOf, referenceTensor, runReference, type Graph } from '#graph/index.js';
import { probeSetOf, relativeErrors, thetaOf, vectorOf, type Golden } from './golden.js';

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

/** In double precision, as means over the examples. */
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

/** Relative to PyTorch's numbers. */
export function errorsInReference(graph: Graph, golden: Golden): Record<string, number> {
  const { loss, gradient, product } = inReference(graph, golden);
  const [ofGradient, ofProduct] = [relativeErrors(gradient, golden.gradient), relativeErrors(product, golden.product)];
  return {
    loss: Math.abs(loss / golden.loss - 1),
    gradientNorm: ofGradient.norm,
    gradient: ofGradient.coordinates,
    productNorm: ofProduct.norm,
    product: ofProduct.coordinates,
  };
}
