import {
  factorOf,
  gradient,
  referenceTensor,
  runReference,
  type GradientGraph,
  type Graph,
  type ReferenceTensor,
} from '#graph/index.js';
import type { CompiledModel } from './create-probe-model.js';
import { partOf } from './probe-set.js';
import { largest } from '#math/extremes.js';

/** Mean loss and its gradient at a point. */
export interface Point {
  readonly loss: number;
  readonly gradient: Float32Array | Float64Array;
}

/** Where points beside θ come from, and what differences of them are good for. */
export interface Differences {
  /** Of 1 + ‖θ‖. */
  readonly steps: readonly number[];
  /** What products may differ by; a wrong derivative differs by more. */
  readonly tolerance: number;
  /** At θ + s·direction. */
  at(theta: Float32Array, direction: Float64Array, s: number): Promise<Point>;
}

/** In double precision; undefined where the network is too large for the interpreter. */
export function referenceDifferences(model: CompiledModel, maxOperations: number): Differences | undefined {
  const derived = gradient(model.graph);
  if (operationsOf(derived.graph, model.examples) > maxOperations) return undefined;
  // The cut-off and the rounding of a central difference are then both far below the tolerance.
  return { steps: [1e-6], tolerance: 2e-3, at: async (...place) => pointAt(model, derived, ...place) };
}

/**
 * On the model's own executor. In single precision the best step is known to a factor of ten only, and what is left then is up
 * to a per cent: this sees rules that are wrong, and not that a product is less exact than it should be.
 */
export function executorDifferences(model: CompiledModel): Differences {
  return {
    steps: [3e-4, 3e-3, 3e-5],
    tolerance: 3e-2,
    at: (theta, direction, s) => model.gradient(theta.map((x, i) => x + s * direction[i]!)),
  };
}

/** About: matrix products and convolutions by what they sum over, everything else one for each number. */
function operationsOf(graph: Graph, examples: number): number {
  const elements = (shape: readonly (number | string)[]): number =>
    (shape as Graph['nodes'][number]['shape']).reduce<number>(
      (size, dim) => size * factorOf(dim) * (typeof dim === 'string' ? examples : 1),
      1,
    );
  const sizes = new Map([...graph.inputs, ...graph.constants].map(({ name, shape }) => [name, elements(shape)]));
  let sum = 0;
  for (const { op, inputs, output, shape } of graph.nodes) {
    const size = elements(shape);
    sizes.set(output, size);
    const read = inputs.map((name) => sizes.get(name) ?? 1);
    // A B of n×k and k×m: √(nk · km · nm) = nkm.
    const product = Math.sqrt(read.reduce((all, each) => all * each, size));
    sum += op.startsWith('matmul') || op.startsWith('conv') ? product : largest(read, size);
  }
  return sum;
}

function pointAt(
  model: CompiledModel,
  { graph, losses, weights, gradients }: GradientGraph,
  theta: Float32Array,
  direction: Float64Array,
  s: number,
): Point {
  const inputs: Record<string, ReferenceTensor> = {};
  for (const rows of model.probeSet.inputs) {
    const numbers = partOf(rows, 0, model.examples) as ArrayLike<number | bigint>;
    inputs[rows.name] = referenceTensor([model.examples, ...rows.shape], Float64Array.from(numbers, Number));
  }
  for (const { name, shape, offset, size } of model.parameters) {
    inputs[name] = referenceTensor(
      shape,
      Float64Array.from({ length: size }, (_, i) => theta[offset + i]! + s * direction[offset + i]!),
    );
  }
  const outputs = runReference(graph, inputs);
  const sumOf = (name: string): number => outputs[name]!.data.reduce((a, b) => a + b, 0);
  const weight = weights === undefined ? model.examples : sumOf(weights);
  const flat = new Float64Array(theta.length);
  for (const [i, { offset }] of model.parameters.entries()) {
    flat.set(
      outputs[gradients[i]!]!.data.map((value) => value / weight),
      offset,
    );
  }
  return { loss: sumOf(losses) / weight, gradient: flat };
}
