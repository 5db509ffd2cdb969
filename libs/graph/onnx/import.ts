import { GraphBuilder } from '../builder.js';
import { UnsupportedModel } from '../errors.js';
import type { Dim, Graph, GraphInput } from '../graph.js';
import { nearest } from '../nearest.js';
import { isFree, showShape } from '../shapes.js';
import type { ImportedValue } from './node-view.js';
import { decodeModel } from './proto.js';
import type { OnnxModel, OnnxValueInfo } from './proto.js';
import { constantOf, isStandard, readNode } from './read-node.js';
import { floatsOf, isFloatType } from './tensors.js';

export interface OnnxImportOptions {
  /** Names of the trained tensors in the file, in the order of a snapshot. Other weights in the file are constants. */
  readonly parameters: readonly string[];
}

/** Before opset 7 the elementwise operators broadcast in another way. */
const OLDEST_OPSET = 7;

/**
 * Reads a forward graph from an ONNX file, as `torch.onnx.export(…, do_constant_folding=False, dynamic_axes=…)` writes it:
 * one data input whose first axis is free, one output. Listed parameters may be initializers (their values are kept as
 * `initial`) or inputs of the file.
 */
export function importOnnx(bytes: Uint8Array, { parameters }: OnnxImportOptions): Graph {
  const { graph, opsetImport } = decodeModel(bytes);
  if (graph === undefined || graph.node.length + graph.output.length === 0) {
    throw new UnsupportedModel('The ONNX file holds no graph', { field: 'graph', expected: 'an ONNX model with a graph' });
  }
  const opset = opsetImport.find(({ domain }) => isStandard(domain))?.version ?? 0;
  if (opset < OLDEST_OPSET) {
    throw new UnsupportedModel(`The ONNX file uses opset ${opset}`, {
      field: 'opset_import',
      value: String(opset),
      expected: `${OLDEST_OPSET} or newer`,
    });
  }
  const builder = new GraphBuilder();
  const values = new Map<string, ImportedValue>();
  for (const input of parameterInputs(graph, parameters)) values.set(input.name, { kind: 'tensor', value: builder.input(input) });
  const data = dataInput(graph, new Set(parameters));
  values.set(data.name, { kind: 'tensor', value: builder.input(data) });
  for (const tensor of graph.initializer) {
    if (tensor.name !== undefined && !values.has(tensor.name)) values.set(tensor.name, constantOf(builder, tensor));
  }
  for (const node of graph.node) readNode(builder, values, node, opset);
  const name = onlyOutput(graph.output);
  const output = values.get(name);
  if (output?.kind !== 'tensor') {
    throw new UnsupportedModel(`The output '${name}' is not a tensor of floats`, {
      field: `output ${name}`,
      expected: 'a tensor of floats',
    });
  }
  return builder.build([{ name: values.get(name) === values.get(data.name) ? 'prediction' : name, value: output.value }]);
}

type OnnxGraph = NonNullable<OnnxModel['graph']>;

function parameterInputs(graph: OnnxGraph, names: readonly string[]): GraphInput[] {
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const inputs = new Map(graph.input.map((input) => [input.name, input]));
  return names.map((name, i) => {
    const field = `parameters[${i}]`;
    if (names.indexOf(name) < i) {
      throw new UnsupportedModel(`The parameter '${name}' is listed twice`, { field, value: name, expected: 'each name once' });
    }
    const common = { name, role: 'parameter', dtype: 'float32' } as const;
    const tensor = initializers.get(name);
    if (tensor !== undefined) return { ...common, shape: tensor.dims, initial: floatsOf(tensor) };
    const input = inputs.get(name);
    if (input === undefined) throw missingParameter(field, name, [...initializers.keys(), ...inputs.keys()].filter(isText));
    const shape = shapeOf(input);
    if (!isFloatType(input.type?.tensorType?.elemType) || shape.some(isFree)) {
      throw new UnsupportedModel(`The parameter '${name}' has no fixed shape of floats`, { field, value: showShape(shape) });
    }
    return { ...common, shape };
  });
}

const isText = (name: string | undefined): name is string => name !== undefined;

function missingParameter(field: string, name: string, known: readonly string[]): UnsupportedModel {
  const similar = nearest(name, known);
  const hint = similar.length > 0 ? ` (there is ${similar.join(', ')})` : '';
  return new UnsupportedModel(
    `The graph has no parameter '${name}'${hint}: the exporter folded it into another constant, or left it out`,
    {
      field,
      value: name,
      expected: 'a weight of the graph under its own name; export without constant folding (do_constant_folding=False)',
    },
  );
}

function dataInput(graph: OnnxGraph, parameters: ReadonlySet<string>): GraphInput {
  const initialized = new Set(graph.initializer.map((tensor) => tensor.name));
  const [input, ...others] = graph.input.filter(({ name }) => isText(name) && !initialized.has(name) && !parameters.has(name));
  if (input?.name === undefined || others.length > 0) {
    const names = [input, ...others].flatMap((each) => each?.name ?? []).join(', ');
    throw new UnsupportedModel(`The graph has ${names === '' ? 'no data input' : `the data inputs ${names}`}`, {
      field: 'inputs',
      value: names,
      expected: 'one input that is not a parameter',
    });
  }
  const shape = shapeOf(input);
  if (shape[0] !== 'batch' || shape.slice(1).some(isFree) || !isFloatType(input.type?.tensorType?.elemType)) {
    throw new UnsupportedModel(`The data input '${input.name}' has the shape ${showShape(shape)}`, {
      field: `input ${input.name}`,
      value: showShape(shape),
      expected: 'floats with a free first axis and fixed other axes (dynamic_axes={name: {0: "batch"}} when exporting)',
    });
  }
  return { name: input.name, role: 'data', dtype: 'float32', shape };
}

function shapeOf({ name, type }: OnnxValueInfo): Dim[] {
  const dims = type?.tensorType?.shape?.dim;
  if (dims === undefined)
    throw new UnsupportedModel(`The input '${name}' has no shape`, { field: `input ${name}`, expected: 'a shape' });
  return dims.map(({ dimValue, dimParam }) => (dimParam === undefined && dimValue ? dimValue : 'batch'));
}

function onlyOutput(outputs: readonly OnnxValueInfo[]): string {
  const [output, ...others] = outputs;
  if (output?.name !== undefined && others.length === 0) return output.name;
  throw new UnsupportedModel(`The graph has ${outputs.length} outputs`, {
    field: 'outputs',
    value: outputs.map(({ name }) => name).join(', '),
    expected: 'one output',
  });
}
