/** The inputs of an ONNX file that take examples. */
import type { GraphBuilder } from '../builder.js';
import { expand, transpose } from '../emit.js';
import { UnsupportedModel } from '../errors.js';
import type { Dim, DType, GraphInput, Shape } from '../graph.js';
import type { Value } from '../op.js';
import { isFree, showShape } from '../shapes.js';
import { elementType } from './proto.js';
import type { OnnxValueInfo } from './proto.js';
import { isFloatType } from './tensors.js';

export interface DataInputOptions {
  /** Sizes of further axes that the file leaves open, by the names that it gives them: `{ sequence: 64 }`. */
  readonly sizes?: Readonly<Record<string, number>> | undefined;
  /** Inputs that are no data: every element is this number, as in an attention mask of ones. */
  readonly given?: Readonly<Record<string, number>> | undefined;
}

const HOW = 'a free batch axis: dynamic_axes={name: {0: "batch"}} or dynamic_shapes when exporting';

/** A size, or the name of an axis that the file leaves open. */
type OpenDim = number | { readonly open: string };

/** Declares them in the file's order, each with its examples first; gives the values as the file's nodes expect them. */
export function dataInputs(
  builder: GraphBuilder,
  inputs: readonly OnnxValueInfo[],
  { sizes = {}, given = {} }: DataInputOptions,
): Map<string, Value> {
  const stranger = Object.keys(given).find((name) => !inputs.some((input) => input.name === name));
  if (stranger !== undefined || inputs.length === Object.keys(given).length) {
    throw new UnsupportedModel(`The graph has ${stranger === undefined ? 'no data input' : `no data input '${stranger}'`}`, {
      field: 'inputs',
      value: stranger ?? '',
      expected: stranger === undefined ? 'an input that is not a parameter' : `one of ${namesOf(inputs)}`,
    });
  }
  const open = inputs.map((input) => openDims(input, sizes));
  const batch = batchOf(inputs, open);
  const values = new Map<string, Value>();
  for (const [i, input] of inputs.entries()) {
    const name = input.name ?? '';
    const shape = (open[i] ?? []).map((dim) => closed(dim, input, open[i] ?? [], batch));
    const number = given[name];
    values.set(name, number === undefined ? declare(builder, input, shape) : filled(builder, input, shape, number));
  }
  return values;
}

const namesOf = (inputs: readonly OnnxValueInfo[]): string => inputs.map(({ name }) => name).join(', ');

function openDims(input: OnnxValueInfo, sizes: Readonly<Record<string, number>>): readonly OpenDim[] {
  const dims = input.type?.tensorType?.shape?.dim;
  if (dims === undefined)
    throw new UnsupportedModel(`The input '${input.name}' has no shape`, { field: `input ${input.name}`, expected: 'a shape' });
  return dims.map(({ dimValue, dimParam }, axis) => {
    if (dimParam === undefined && dimValue) return dimValue;
    return (
      (dimParam === undefined ? undefined : sizes[dimParam]) ?? {
        open: dimParam || (axis === 0 ? '' : `axis ${axis} of ${input.name}`),
      }
    );
  });
}

/** The first axis of the first input that leaves it open is the examples; else the only one that is open. */
function batchOf(inputs: readonly OnnxValueInfo[], open: readonly (readonly OpenDim[])[]): string {
  const leading = open.map((dims) => dims[0]).find((dim) => typeof dim === 'object');
  if (typeof leading === 'object') return leading.open;
  const names = new Set(open.flat().flatMap((dim) => (typeof dim === 'object' ? [dim.open] : [])));
  const [only] = names;
  if (only !== undefined && names.size === 1) return only;
  const [input] = inputs;
  const shape = `[${(open[0] ?? []).map(shown).join(', ')}]`;
  const problem = names.size === 0 ? 'no free axis, so it takes one number of examples only' : 'several free axes';
  throw new UnsupportedModel(`The data input '${input?.name}' has the shape ${shape}: ${problem}`, {
    field: `input ${input?.name}`,
    value: shape,
    expected: HOW,
  });
}

const shown = (dim: OpenDim): string => (typeof dim === 'number' ? String(dim) : dim.open || 'free');

function closed(dim: OpenDim, input: OnnxValueInfo, dims: readonly OpenDim[], batch: string): Dim {
  if (typeof dim === 'number') return dim;
  // Exporters that are not told otherwise give the first axis of each input a name of its own.
  const isBatch =
    dim.open === batch || (dims[0] === dim && !dims.slice(1).some((other) => typeof other === 'object' && other.open === batch));
  if (isBatch) return 'batch';
  const shape = `[${dims.map(shown).join(', ')}]`;
  throw new UnsupportedModel(`The data input '${input.name}' has the shape ${shape}, where '${dim.open}' has no size`, {
    field: `input ${input.name}`,
    value: shape,
    expected: `one free axis; give the size of '${dim.open}' (sizes), or export with it fixed`,
  });
}

function dtypeOf(input: OnnxValueInfo): DType {
  const type = input.type?.tensorType?.elemType;
  if (isFloatType(type)) return 'float32';
  if (type === elementType.int64 || type === elementType.int32) return 'int64';
  if (type === elementType.bool) return 'bool';
  throw new UnsupportedModel(`The data input '${input.name}' has the ONNX element type ${type}`, {
    field: `input ${input.name}`,
    value: String(type),
    expected: 'floats, whole numbers of 32 or 64 bits, or truth values',
  });
}

function freeAxis(input: OnnxValueInfo, shape: Shape): number {
  const free = shape.flatMap((dim, axis) => (isFree(dim) ? [axis] : []));
  const [axis] = free;
  if (axis !== undefined && free.length === 1) return axis;
  throw new UnsupportedModel(`The data input '${input.name}' has the shape ${showShape(shape)}`, {
    field: `input ${input.name}`,
    value: showShape(shape),
    expected: HOW,
  });
}

/** Whoever feeds a graph has examples first. */
function declare(builder: GraphBuilder, input: OnnxValueInfo, shape: Shape): Value {
  const axis = freeAxis(input, shape);
  const others = shape.map((_, i) => i).filter((i) => i !== axis);
  const ordered = [axis, ...others];
  const graphInput: GraphInput = {
    name: input.name ?? '',
    role: 'data',
    dtype: dtypeOf(input),
    shape: ordered.map((i) => shape[i] ?? 1),
  };
  const value = builder.input(graphInput);
  return axis === 0 ? value : transpose(builder, value, inverse(ordered));
}

const inverse = (permutation: readonly number[]): number[] => permutation.map((_, i) => permutation.indexOf(i));

function filled(builder: GraphBuilder, input: OnnxValueInfo, shape: Shape, number: number): Value {
  return expand(builder, builder.constant([], Float64Array.of(number), dtypeOf(input)), shape);
}
