import { GraphBuilder } from '../builder.js';
import type { NamedValue } from '../builder.js';
import { UnsupportedModel } from '../errors.js';
import type { Graph } from '../graph.js';
import { limits } from '../limits.js';
import { nearest } from '../nearest.js';
import { dataInputs } from './data-inputs.js';
import type { DataInputOptions } from './data-inputs.js';
import { withExternalData } from './external-data.js';
import type { ExternalFiles } from './external-data.js';
import { nodesOf, standardOpset } from './functions.js';
import { withoutMerging } from './merged.js';
import type { ImportedValue } from './node-view.js';
import { parameterInputs } from './parameters.js';
import type { ParameterOptions } from './parameters.js';
import { decodeModel } from './proto.js';
import type { OnnxGraph, OnnxModel } from './proto.js';
import { constantOf, readNode } from './read-node.js';

export interface OnnxImportOptions extends ParameterOptions, DataInputOptions {
  /**
   * Names of the trained tensors in the file, in the order of a snapshot; other weights are constants. Without it, all weights
   * that are no statistics or tables by their names, in the order of the file.
   */
  readonly parameters?: readonly string[] | undefined;
  /** Reads files beside the ONNX file, where there is such a place. Only plain relative paths are asked for. */
  readonly external?: ExternalFiles | undefined;
  /** Outputs of the file by name. By default the only one, the one called `logits`, or the first. */
  readonly outputs?: readonly string[] | undefined;
}

/** Before opset 7 the elementwise operators broadcast in another way. */
const OLDEST_OPSET = 7;

/**
 * Reads a forward graph from an ONNX file, as exporters of PyTorch, TensorFlow and Keras write it: examples along one axis that
 * is free in every data input. Parameters may be initializers (their values are kept as `initial`) or inputs of the file. In the
 * graph, data inputs have the examples first, wherever the file has them.
 */
export function importOnnx(bytes: Uint8Array, options: OnnxImportOptions = {}): Graph {
  const model = decodeModel(bytes);
  const graph = withoutMerging(graphOf(model, options.external), options.parameters);
  const builder = new GraphBuilder({ maxValues: limits.values });
  const values = new Map<string, ImportedValue>();
  for (const [name, value] of parameterInputs(builder, graph, options)) values.set(name, { kind: 'tensor', value });
  const taken = new Set([...graph.initializer.map(({ name }) => name), ...values.keys()]);
  const inputs = graph.input.filter(({ name }) => name !== undefined && !taken.has(name));
  for (const [name, value] of dataInputs(builder, inputs, options)) values.set(name, { kind: 'tensor', value });
  for (const tensor of graph.initializer) {
    if (tensor.name !== undefined && !values.has(tensor.name)) values.set(tensor.name, constantOf(builder, tensor));
  }
  for (const { node, opset } of nodesOf({ ...model, graph })) readNode(builder, values, node, opset);
  const inputNames = new Set(inputs.map(({ name }) => name));
  return builder.build(
    outputNames(graph, options.outputs).map((name): NamedValue => {
      const output = values.get(name);
      if (output?.kind === 'tensor') return { name: inputNames.has(name) ? 'prediction' : name, value: output.value };
      const detail = { field: `output ${name}`, expected: 'a tensor of floats' };
      throw new UnsupportedModel(`The output '${name}' is not a tensor of floats`, detail);
    }),
  );
}

function graphOf({ graph, opsetImport }: OnnxModel, external: ExternalFiles | undefined): OnnxGraph {
  if (graph === undefined || graph.node.length + graph.output.length === 0) {
    throw new UnsupportedModel('The ONNX file holds no graph', { field: 'graph', expected: 'an ONNX model with a graph' });
  }
  const opset = standardOpset(opsetImport);
  if (!(opset >= OLDEST_OPSET)) {
    throw new UnsupportedModel(`The ONNX file uses opset ${opset}`, {
      field: 'opset_import',
      value: String(opset),
      expected: `${OLDEST_OPSET} or newer`,
    });
  }
  return { ...graph, initializer: graph.initializer.map((tensor) => withExternalData(tensor, external)) };
}

function outputNames({ output }: OnnxGraph, wanted: readonly string[] | undefined): readonly string[] {
  const names = output.flatMap(({ name }) => (name === undefined ? [] : [name]));
  const stranger = wanted?.find((name) => !names.includes(name));
  if (stranger !== undefined || names.length === 0) {
    const similar = stranger === undefined ? [] : nearest(stranger, names);
    throw new UnsupportedModel(`The graph has no output${stranger === undefined ? '' : ` '${stranger}'`}`, {
      field: 'outputs',
      value: stranger ?? '',
      expected: `one of ${(similar.length > 0 ? similar : names).join(', ')}`,
    });
  }
  if (wanted !== undefined && wanted.length > 0) return wanted;
  return [names.find((name) => name === 'logits') ?? names[0] ?? ''];
}
