/**
 * PyTorch's exporter keeps one of several weights that hold the same numbers and writes the others as `Identity` of it: tied
 * ones, but also the scales and shifts of all normalisations before training. The latter are weights of their own.
 */
import type { OnnxGraph, OnnxNodeProto, OnnxTensor } from './proto.js';
import { floatsOf, isFloatType } from './tensors.js';

/**
 * Gives weights that were merged their values back; a tied one that the file keeps under a name that is not listed gets the
 * listed one. `parameters`: the names of trained tensors, if somebody gave them.
 */
export function withoutMerging(graph: OnnxGraph, parameters: readonly string[] | undefined): OnnxGraph {
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const listed = parameters && new Set<string | undefined>(parameters);
  const first: OnnxNodeProto[] = [];
  const nodes: OnnxNodeProto[] = [];
  const renamed = new Map<OnnxTensor, OnnxTensor>();
  const copies: OnnxTensor[] = [];
  const alike = new Map<OnnxTensor, boolean>();
  const isOneNumber = (tensor: OnnxTensor): boolean => {
    const known = alike.get(tensor) ?? holdsOneNumber(tensor);
    alike.set(tensor, known);
    return known;
  };
  for (const node of graph.node) {
    const [name] = node.output;
    const kept = keptBy(node, tensors);
    if (kept === undefined || name === undefined || tensors.has(name) || listed?.has(name) === false) nodes.push(node);
    else if (isOneNumber(kept) || listed?.has(kept.name)) copies.push({ ...kept, name });
    else if (listed === undefined || renamed.has(kept)) nodes.push(node);
    else {
      renamed.set(kept, { ...kept, name });
      first.push({ ...node, input: [name], output: [kept.name ?? ''] });
    }
  }
  if (copies.length + renamed.size === 0) return graph;
  const initializer = [...graph.initializer.map((tensor) => renamed.get(tensor) ?? tensor), ...copies];
  return { ...graph, node: [...first, ...nodes], initializer };
}

/** The weight that the node hands on as it is. */
function keptBy(node: OnnxNodeProto, tensors: ReadonlyMap<string | undefined, OnnxTensor>): OnnxTensor | undefined {
  const tensor = node.opType === 'Identity' && !node.domain ? tensors.get(node.input[0]) : undefined;
  return tensor !== undefined && isFloatType(tensor.dataType) ? tensor : undefined;
}

/** Random numbers are the same only where a weight is shared. */
function holdsOneNumber(tensor: OnnxTensor): boolean {
  const data = floatsOf(tensor);
  return data.every((x) => x === data[0]);
}
