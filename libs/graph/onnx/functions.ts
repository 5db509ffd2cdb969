/** Functions that a file defines for itself (as torch.onnx's new exporter does) are written out where they are used. */
import { UnsupportedModel } from '../errors.js';
import { limits } from '../limits.js';
import { isStandard } from './read-node.js';
import type { OnnxAttributeProto, OnnxFunction, OnnxGraph, OnnxModel, OnnxNodeProto, OnnxOpset } from './proto.js';

export interface PlacedNode {
  readonly node: OnnxNodeProto;
  /** Of the standard operators, where the node stands. */
  readonly opset: number;
}

export const standardOpset = (imports: readonly OnnxOpset[]): number =>
  imports.find(({ domain }) => isStandard(domain))?.version ?? 0;

const keyOf = (domain: string | undefined, name: string | undefined, overload: string | undefined): string =>
  `${domain ?? ''}\n${name ?? ''}\n${overload ?? ''}`;

type Frame = { readonly nodes: readonly OnnxNodeProto[]; next: number; readonly opset: number };

/** All nodes of the model's graph in order, none of which uses a function of the file. */
export function* nodesOf(model: OnnxModel): Generator<PlacedNode> {
  const functions = new Map(model.functions.map((each) => [keyOf(each.domain, each.name, each.overload), each]));
  const stack: Frame[] = [{ nodes: model.graph?.node ?? [], next: 0, opset: standardOpset(model.opsetImport) }];
  let [seen, uses] = [0, 0];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const node = frame.nodes[frame.next++];
    if (node === undefined) {
      stack.pop();
      continue;
    }
    const definition = functions.get(keyOf(node.domain, node.opType, node.overload));
    seen += 1 + (definition === undefined ? 0 : innerNodes(definition));
    if (seen > limits.nodes) throw endless('more than', limits.nodes, 'nodes once its functions are written out');
    if (definition === undefined) yield { node, opset: frame.opset };
    else {
      if (stack.length > limits.functionDepth) throw endless('functions inside functions, deeper than', limits.functionDepth, '');
      const opset = standardOpset(definition.opsetImport) || frame.opset;
      stack.push({ nodes: writtenOut(definition, node, `${definition.name ?? ''}@${uses++}/`), next: 0, opset });
    }
  }
}

const endless = (what: string, most: number, of: string): UnsupportedModel =>
  new UnsupportedModel(`The ONNX file has ${what} ${most} ${of}`.trimEnd(), { field: 'graph', expected: `at most ${most}` });

/** Nodes of branches and loops inside a function, which are written out with it. */
function innerNodes(definition: OnnxFunction): number {
  const known = innerCounts.get(definition);
  if (known !== undefined) return known;
  let count = 0;
  const open = [...definition.node];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const { g } of node.attribute) {
      count += g?.node.length ?? 0;
      for (const inner of g?.node ?? []) open.push(inner);
    }
  }
  innerCounts.set(definition, count);
  return count;
}
const innerCounts = new WeakMap<OnnxFunction, number>();

/** The nodes of a function with the names of one use of it; names of its own get a prefix. */
function writtenOut(definition: OnnxFunction, use: OnnxNodeProto, prefix: string): OnnxNodeProto[] {
  const names = new Map<string, string>([['', '']]);
  definition.input.forEach((name, i) => names.set(name, use.input[i] ?? ''));
  // An output that is an input as it is needs a node that says so.
  const passed = definition.output.flatMap((name, i) => {
    const [input, output] = [names.get(name), use.output[i]];
    return input === undefined || output === undefined ? [] : [identity(input, output)];
  });
  definition.output.forEach((name, i) => {
    const output = use.output[i];
    if (!names.has(name) && output !== undefined && output !== '') names.set(name, output);
  });
  const local = (name: string): string => names.get(name) ?? prefix + name;
  const given = new Map([...definition.attributeProto, ...use.attribute].map((attribute) => [attribute.name, attribute]));
  const attributeHere = (attribute: OnnxAttributeProto): OnnxAttributeProto[] => {
    if (attribute.g !== undefined) return [{ ...attribute, g: graphHere(attribute.g) }];
    if (!attribute.refAttrName) return [attribute];
    const value = given.get(attribute.refAttrName);
    return value === undefined ? [] : [{ ...value, name: attribute.name ?? '' }];
  };
  const here = (node: OnnxNodeProto): OnnxNodeProto => ({
    ...node,
    name: prefix + (node.name || node.opType || ''),
    input: node.input.map(local),
    output: node.output.map(local),
    attribute: node.attribute.flatMap(attributeHere),
  });
  const named = <T extends { readonly name?: string }>(part: T): T => ({ ...part, name: local(part.name ?? '') });
  /** A branch of an If sees the names of the function around it. */
  const graphHere = (graph: OnnxGraph): OnnxGraph => ({
    ...graph,
    node: graph.node.map(here),
    initializer: graph.initializer.map(named),
    output: graph.output.map(named),
  });
  return [...definition.node.map(here), ...passed];
}

const identity = (input: string, output: string): OnnxNodeProto => ({
  opType: 'Identity',
  name: output,
  input: [input],
  output: [output],
  attribute: [],
});
