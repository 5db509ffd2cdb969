import { GraphBuilder } from '../builder.js';
import { UnsupportedModel } from '../errors.js';
import type { Graph } from '../graph.js';
import { limits } from '../limits.js';
import { nearest } from '../nearest.js';
import { dataInputs } from '../onnx/data-inputs.js';
import type { DataInputOptions } from '../onnx/data-inputs.js';
import { atNode } from '../onnx/node-view.js';
import type { ImportedValue } from '../onnx/node-view.js';
import { parameterInputs } from '../onnx/parameters.js';
import type { ParameterOptions } from '../onnx/parameters.js';
import { elementType } from '../onnx/proto.js';
import type { OnnxGraph, OnnxValueInfo } from '../onnx/proto.js';
import { constantOf } from '../onnx/read-node.js';
import { madeBy } from '../ops/patterns.js';
import { keyOf, placeholderOf, readGraphDef, sourceOf } from './graph-def.js';
import type { End, GraphDef, TensorFlowNode, TensorShape } from './graph-def.js';
import { GraphNodeView } from './graph-node.js';
import { readGraphNode } from './graph-ops.js';
import { graphWeights } from './graph-weights.js';
import type { FilesBeside, GraphWeight } from './graph-weights.js';

export interface GraphModelOptions extends ParameterOptions, DataInputOptions {
  /** Reads the files of weights beside model.json, where there is such a place. */
  readonly external?: FilesBeside | undefined;
  /** Outputs by their names in the file's signature, or of nodes. By default the one called `logits`, or the first. */
  readonly outputs?: readonly string[] | undefined;
}

/**
 * Reads a forward graph from the JSON of a tfjs GraphModel, parsed. Parameters are weights by the names of their nodes: those
 * that are listed, or all of floats that the outputs need, except single numbers and running statistics. Other weights are
 * constants, which need their values: beside the file, or inside it as data addresses.
 */
export function importGraphModel(json: unknown, options: GraphModelOptions = {}): Graph {
  const file = readGraphDef(json);
  const nodes = new Map(file.nodes.map((node) => [node.name, node]));
  if (nodes.size < file.nodes.length)
    throw new UnsupportedModel('The tfjs model has two nodes of one name', {
      field: 'modelTopology',
      expected: 'each name once',
    });
  const outputs = outputsOf(file, options.outputs);
  const order = inOrder(
    nodes,
    outputs.map(({ tensor }) => sourceOf(tensor)?.node ?? ''),
  );
  const weights = graphWeights(file.weights, options.external);
  const builder = new GraphBuilder({ maxValues: limits.values });
  const values = new Map<string, ImportedValue>();
  const given = asFile(weights);
  const parameters = options.parameters ?? trained(order, weights);
  for (const [name, value] of parameterInputs(builder, given, { ...options, parameters }))
    values.set(keyOf(name, 0), { kind: 'tensor', value });
  const inputs = order.filter(({ op }) => op === 'Placeholder').map((node) => inputOf(node, file.inputs));
  for (const [name, value] of dataInputs(builder, sorted(inputs, file.inputs), options))
    values.set(keyOf(name, 0), { kind: 'tensor', value });
  for (const node of order) read(builder, values, node, weights);
  return builder.build(
    outputs.map(({ name, tensor }) => {
      const source = sourceOf(tensor);
      const value = source && values.get(keyOf(source.node, source.output));
      if (value?.kind !== 'tensor')
        throw new UnsupportedModel(`The output '${name}' is not a tensor of floats`, { field: `output ${name}` });
      const taken = [...inputs.map((input) => input.name), ...parameters].includes(name);
      const output = { name: taken ? 'prediction' : name, value: value.value };
      return madeBy(value.value, 'softmax') ? { ...output, meaning: 'probabilities' as const } : output;
    }),
  );
}

function read(
  builder: GraphBuilder,
  values: Map<string, ImportedValue>,
  node: TensorFlowNode,
  weights: ReadonlyMap<string, GraphWeight>,
): void {
  if (values.has(keyOf(node.name, 0))) return;
  if (node.op === 'Const') {
    values.set(keyOf(node.name, 0), constant(builder, node, weights));
    return;
  }
  const inputs = sources(node).map((source) => {
    const value = values.get(keyOf(source.node, source.output));
    if (value !== undefined) return value;
    const detail = { field: `node ${node.name}`, value: node.op, expected: 'results that are there' };
    throw new UnsupportedModel(`Node '${node.name}' takes output ${source.output} of '${source.node}'`, detail);
  });
  try {
    readGraphNode(new GraphNodeView(builder, node, inputs)).forEach((part, i) => values.set(keyOf(node.name, i), part));
  } catch (error) {
    throw atNode({ name: node.name, opType: node.op, input: [], output: [], attribute: [] }, error);
  }
}

function constant(builder: GraphBuilder, { name }: TensorFlowNode, weights: ReadonlyMap<string, GraphWeight>): ImportedValue {
  const weight = weights.get(name);
  if (weight?.tensor !== undefined) return constantOf(builder, weight.tensor);
  const problem = weight === undefined ? 'is not among the weights' : 'is no parameter, and its values are not with the model';
  throw new UnsupportedModel(`The constant '${name}' ${problem}`, {
    field: `node ${name}`,
    expected: 'files of weights beside model.json, or data addresses in the weights manifest',
  });
}

const sources = ({ input = [] }: TensorFlowNode): readonly { readonly node: string; readonly output: number }[] =>
  input.flatMap((name) => sourceOf(name) ?? []);

/** The nodes that these need, each after those before it. The depth of a model is not a depth of calls. */
function inOrder(nodes: ReadonlyMap<string, TensorFlowNode>, wanted: readonly string[]): readonly TensorFlowNode[] {
  const order = new Set<TensorFlowNode>();
  const opened = new Set<string>();
  const open = [...wanted].toReversed();
  for (let name = open.at(-1); name !== undefined; name = open.at(-1)) {
    const node = nodes.get(name);
    if (node === undefined)
      throw new UnsupportedModel(`The tfjs model has no node '${name}'`, { field: 'modelTopology', value: name });
    const missing = order.has(node) ? [] : sources(node).filter((source) => !isThere(order, nodes.get(source.node)));
    if (missing.length === 0) {
      order.add(node);
      open.pop();
    } else if (opened.has(name)) {
      throw new UnsupportedModel(`Node '${name}' depends on itself`, { field: `node ${name}`, expected: 'no cycle' });
    } else {
      opened.add(name);
      for (const source of missing.toReversed()) open.push(source.node);
    }
  }
  return [...order];
}

const isThere = (order: ReadonlySet<TensorFlowNode>, node: TensorFlowNode | undefined): boolean =>
  node !== undefined && order.has(node);

/** The weights as an ONNX file would have them: with values, or without as inputs. */
function asFile(weights: ReadonlyMap<string, GraphWeight>): OnnxGraph {
  const all = [...weights.values()];
  const bare = all.filter(({ tensor, entry }) => tensor === undefined && entry.dtype === 'float32');
  return {
    node: [],
    output: [],
    initializer: all.flatMap(({ tensor }) => tensor ?? []),
    input: bare.map(({ entry: { name, shape } }) => infoOf(name, elementType.float, { dim: shape.map((size) => ({ size })) })),
  };
}

/** Where nobody lists the parameters. */
function trained(order: readonly TensorFlowNode[], weights: ReadonlyMap<string, GraphWeight>): string[] {
  const behind = new Map(order.filter(({ op }) => op === 'Identity').map((node) => [node.name, sources(node)[0]?.node ?? '']));
  const statistics = new Set(
    order
      .filter(({ op }) => op.startsWith('FusedBatchNorm'))
      .flatMap((node) => sources(node).slice(3))
      .map((source) => behind.get(source.node) ?? source.node),
  );
  return order.flatMap(({ name, op }) => {
    const entry = op === 'Const' ? weights.get(name)?.entry : undefined;
    return entry?.dtype === 'float32' && entry.shape.length > 0 && !statistics.has(name) ? [name] : [];
  });
}

const inputTypes: Readonly<Record<string, number | undefined>> = {
  DT_FLOAT: elementType.float,
  DT_INT32: elementType.int32,
  DT_INT64: elementType.int64,
  DT_BOOL: elementType.bool,
};

/** The signature may say more of the sizes than the node. */
function inputOf(node: TensorFlowNode, ends: readonly End[] | undefined): OnnxValueInfo {
  const placeholder = placeholderOf(node);
  const type = inputTypes[placeholder.type];
  const signed = endOf(ends, node.name)?.shape;
  const shape = signed?.dim === undefined ? placeholder.shape : signed;
  if (type !== undefined && shape?.dim !== undefined) return infoOf(node.name, type, shape);
  throw new UnsupportedModel(`The input '${node.name}' has no shape, or a type that is not understood`, {
    field: `input ${node.name}`,
    expected: 'floats, whole numbers or truth values, and a shape',
  });
}

const endOf = (ends: readonly End[] | undefined, node: string): End | undefined =>
  ends?.find(({ tensor }) => sourceOf(tensor)?.node === node);

function infoOf(name: string, elemType: number, { dim = [] }: TensorShape): OnnxValueInfo {
  const sizes = dim.map(({ size }) => size ?? -1);
  // The first open axis of each input is the examples; others are called by their places.
  const first = sizes.findIndex((size) => size < 0);
  const dims = sizes.map((size, axis) =>
    size < 0 ? { dimParam: axis === first ? 'batch' : `${name}:${axis}` } : { dimValue: size },
  );
  return { name, type: { tensorType: { elemType, shape: { dim: dims } } } };
}

/** In the order of the signature. */
function sorted(inputs: readonly OnnxValueInfo[], ends: readonly End[] | undefined): readonly OnnxValueInfo[] {
  const place = ({ name = '' }: OnnxValueInfo): number => {
    const end = endOf(ends, name);
    return end === undefined ? Number.POSITIVE_INFINITY : (ends?.indexOf(end) ?? 0);
  };
  return ends === undefined ? inputs : inputs.toSorted((a, b) => (place(a) < place(b) ? -1 : place(a) > place(b) ? 1 : 0));
}

function outputsOf({ nodes, outputs }: GraphDef, wanted: readonly string[] | undefined): readonly Omit<End, 'shape'>[] {
  const used = new Set(nodes.flatMap((node) => sources(node).map((source) => source.node)));
  const last = nodes.filter(({ name, op }) => !used.has(name) && !['Const', 'NoOp', 'Placeholder'].includes(op));
  const ends = outputs ?? last.map(({ name }) => ({ name, tensor: name }));
  if (wanted !== undefined && wanted.length > 0) {
    return wanted.map((name) => {
      const end = ends.find((each) => each.name === name || sourceOf(each.tensor)?.node === name);
      if (end !== undefined || nodes.some((node) => node.name === name)) return { name, tensor: end?.tensor ?? name };
      const names = ends.map((each) => each.name);
      const similar = nearest(name, names);
      const expected = `one of ${(similar.length > 0 ? similar : names).join(', ')}`;
      throw new UnsupportedModel(`The graph has no output '${name}'`, { field: 'outputs', value: name, expected });
    });
  }
  const end = ends.find(({ name }) => name === 'logits') ?? ends[0];
  if (end !== undefined) return [end];
  throw new UnsupportedModel('The tfjs model has no output', { field: 'modelTopology', expected: 'a GraphDef with nodes' });
}
