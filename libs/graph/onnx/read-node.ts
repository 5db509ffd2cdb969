/** What one node of an ONNX file computes: a tensor of the graph, or sizes that are known while importing. */
import type { GraphBuilder } from '../builder.js';
import { batchSize } from '../emit.js';
import { UnknownOp } from '../errors.js';
import { nearest } from '../nearest.js';
import { onnxReaders } from '../ops/registry.js';
import { isFree } from '../shapes.js';
import { NodeView, atNode, labelOf, unsupportedAt } from './node-view.js';
import type { ImportedValue } from './node-view.js';
import type { OnnxNodeProto, OnnxTensor } from './proto.js';
import { shapeRules, sizes } from './shape-values.js';
import type { ShapeValue } from './shape-values.js';
import { floatsOf, integersOf, isFloatType } from './tensors.js';

export const isStandard = (domain: string | undefined): boolean => domain === undefined || domain === '' || domain === 'ai.onnx';

export function constantOf(builder: GraphBuilder, tensor: OnnxTensor): ImportedValue {
  if (!isFloatType(tensor.dataType)) return sizes(integersOf(tensor), tensor.dims.length === 0);
  return { kind: 'tensor', value: builder.constant(tensor.dims, floatsOf(tensor)) };
}

/** Adds the values that a node makes to those before it. */
export function readNode(builder: GraphBuilder, values: Map<string, ImportedValue>, node: OnnxNodeProto, opset: number): void {
  const inputs = node.input.map((name) => {
    if (name === '') return undefined;
    const value = values.get(name);
    if (value === undefined) throw unsupportedAt(node, `its input '${name}' is made by no node before it`);
    return value;
  });
  if (node.output.length === 0) throw unsupportedAt(node, 'it has no output');
  try {
    for (const [i, value] of readValues(builder, node, inputs, opset).entries()) {
      const output = node.output[i];
      if (output !== undefined && value !== undefined) values.set(output, value);
    }
  } catch (error) {
    throw atNode(node, error);
  }
}

/** In the order of the node's outputs; those that are missing cannot be had. */
function readValues(
  builder: GraphBuilder,
  node: OnnxNodeProto,
  inputs: readonly (ImportedValue | undefined)[],
  opset: number,
): readonly (ImportedValue | undefined)[] {
  const opType = node.opType ?? '';
  const view = new NodeView(builder, node, inputs, opset);
  if (isStandard(node.domain)) {
    if (opType === 'Constant') return [constantNode(builder, node)];
    if (opType === 'Shape') return [shapeNode(view)];
    if (opType === 'Cast' && inputs[0]?.kind === 'sizes' && isFloatType(view.int('to', 0)))
      return [sizesAsFloats(builder, inputs[0], view)];
    const rule = shapeRules.get(opType);
    const shapeInputs = inputs.flatMap((input) => (input?.kind === 'sizes' ? [input] : []));
    if (rule !== undefined && inputs[0]?.kind === 'sizes' && shapeInputs.length === inputs.length) {
      return [
        rule({
          inputs: shapeInputs,
          int: (name, byDefault) => view.int(name, byDefault),
          unsupported: (reason, expected) => view.unsupported(reason, expected),
        }),
      ];
    }
    const reader = onnxReaders.get(opType);
    if (reader !== undefined) {
      return [reader(builder, view)].flat().map((value) => value && { kind: 'tensor', value });
    }
  }
  const known = [...onnxReaders.keys(), 'Constant', 'Shape'].sort();
  const domain = node.domain || 'ai.onnx';
  throw new UnknownOp({ node: labelOf(node), op: opType, domain, opset, nearest: nearest(opType, known), known });
}

function constantNode(builder: GraphBuilder, node: OnnxNodeProto): ImportedValue {
  const [attribute] = node.attribute;
  switch (attribute?.name ?? '') {
    case 'value':
      if (attribute?.t !== undefined) return constantOf(builder, { ...attribute.t, name: labelOf(node) });
      break;
    case 'value_float':
      return { kind: 'tensor', value: builder.scalar(attribute?.f ?? 0) };
    case 'value_floats': {
      const numbers = attribute?.floats ?? [];
      return { kind: 'tensor', value: builder.constant([numbers.length], Float64Array.from(numbers)) };
    }
    case 'value_int':
      return sizes([attribute?.i ?? 0], true);
    case 'value_ints':
      return sizes(attribute?.ints ?? []);
    default:
  }
  throw unsupportedAt(node, `a constant given as '${attribute?.name ?? 'nothing'}'`, 'a constant of numbers');
}

function shapeNode(view: NodeView): ShapeValue {
  const { shape } = view.input(0);
  return sizes(shape.slice(view.int('start', 0), view.int('end', shape.length)));
}

/** The number of examples as a float, where a model divides by it. */
function sizesAsFloats(builder: GraphBuilder, value: ShapeValue, view: NodeView): ImportedValue {
  const [only] = value.dims;
  if (only === 'batch' && value.scalar) return { kind: 'tensor', value: batchSize(builder) };
  const numbers = value.dims.map((dim) => {
    if (isFree(dim)) throw view.unsupported('a list of sizes with the number of examples as floats');
    return dim;
  });
  return { kind: 'tensor', value: builder.constant(value.scalar ? [] : [numbers.length], Float64Array.from(numbers)) };
}
