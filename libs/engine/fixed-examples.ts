import type { Graph, TangentGraph } from '#graph/index.js';
import { specialize } from '#graph/specialize.js';
import type { FeedableProbeSet } from './probe-set.js';

/** Larger ones are not copied into a graph, where they are held up to three times. */
const maxPackedBytes = 64 * 2 ** 20;

/**
 * A tangent graph for a probe set that goes through it at once: the number of examples is known, and data that is multiplied
 * with a matrix is a constant of the graph.
 */
export function withFixedExamples(tangent: TangentGraph, { examples, inputs }: FeedableProbeSet): TangentGraph {
  const multiplied = operandsOfProducts(tangent.graph);
  const known = inputs.flatMap(({ name, data, encode }) =>
    encode === undefined && data instanceof Float32Array && multiplied.has(name) && data.byteLength <= maxPackedBytes
      ? [[name, data] as const]
      : [],
  );
  return { ...tangent, graph: specialize(tangent.graph, { examples, inputs: new Map(known) }) };
}

const operandsOfProducts = ({ nodes }: Graph): ReadonlySet<string> =>
  new Set(nodes.filter(({ op }) => op === 'matmul').flatMap(({ inputs }) => inputs));
