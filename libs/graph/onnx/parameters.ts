/** Which tensors of an ONNX file are trained, under which names. */
import type { GraphBuilder } from '../builder.js';
import { reshape, transpose } from '../emit.js';
import { UnsupportedModel } from '../errors.js';
import type { ConstantData, GraphInput } from '../graph.js';
import { nearest } from '../nearest.js';
import type { Value } from '../op.js';
import { fixedSize } from '../shapes.js';
import { checkTelling, findFolded, isTelling } from './folded.js';
import type { NamedTensor } from './folded.js';
import type { OnnxGraph, OnnxTensor, OnnxValueInfo } from './proto.js';
import { floatsOf, isFloatType } from './tensors.js';

export interface ParameterOptions {
  readonly parameters?: readonly string[] | undefined;
  /** Further names under which the file may have a parameter: `{ 'head.weight': 'embedding.weight' }` where they are tied. */
  readonly aliases?: Readonly<Record<string, string>> | undefined;
  /** Shapes of listed parameters that the network does not use, so that no exporter writes them. */
  readonly unused?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Values of listed parameters, to find those that the exporter has folded or transposed. */
  readonly values?: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ConstantData }> | undefined;
}

/** Declares the parameters in their order; gives what stands in the file for each, by its name there. */
export function parameterInputs(builder: GraphBuilder, graph: OnnxGraph, options: ParameterOptions): Map<string, Value> {
  const file = new FileTensors(graph);
  const names = options.parameters ?? trainedNames(graph);
  const others = namesByParameter(options.aliases ?? {});
  const bound = new Map<string, Value>();
  const declared = new Set<string>();
  const shared: [Value, NamedTensor][] = [];
  for (const [i, name] of names.entries()) {
    const field = `parameters[${i}]`;
    if (declared.has(name)) {
      throw new UnsupportedModel(`The parameter '${name}' is listed twice`, { field, value: name, expected: 'each name once' });
    }
    declared.add(name);
    const there = [name, ...(others.get(name) ?? [])].filter((each) => file.has(each));
    if (there[0] !== undefined) {
      const input = { ...parameter(name), ...file.typeOf(there[0], field) };
      const value = builder.input(input);
      for (const each of there) bound.set(each, value);
      const data = input.initial ?? options.values?.get(name)?.data;
      if (data !== undefined) shared.push([value, { name, shape: input.shape as readonly number[], data }]);
    } else if (options.unused?.[name] !== undefined) {
      builder.input({ ...parameter(name), shape: options.unused[name] });
    } else bindFolded(builder, bound, file, name, field, options);
  }
  for (const [value, tensor] of shared) bindCopies(builder, bound, file, declared, value, tensor);
  return bound;
}

/**
 * A weight that two layers share may stand under its name for one of them, and folded into an anonymous constant for the other.
 * Such a constant moves with the weight.
 */
function bindCopies(
  builder: GraphBuilder,
  bound: Map<string, Value>,
  file: FileTensors,
  names: ReadonlySet<string>,
  value: Value,
  tensor: NamedTensor,
): void {
  if (tensor.shape.length < 2 || !isTelling(tensor)) return;
  const anonymous = (file.anonymous.get(tensor.data.length) ?? []).filter(
    ({ name = '' }) => !bound.has(name) && !names.has(name),
  );
  for (const copy of findFolded(builder.work, tensor, anonymous)) {
    bound.set(copy.tensor.name ?? '', reshape(builder, transpose(builder, value, copy.permutation), copy.tensor.dims));
  }
}

const parameter = (name: string) => ({ name, role: 'parameter', dtype: 'float32' }) as const;

function namesByParameter(aliases: Readonly<Record<string, string>>): Map<string, string[]> {
  const result = new Map<string, string[]>();
  for (const [other, name] of Object.entries(aliases)) result.set(name, [...(result.get(name) ?? []), other]);
  return result;
}

/** What of the file holds floats under a name. */
class FileTensors {
  readonly initializers: readonly OnnxTensor[];
  /** Those of floats with names that an exporter made up, by their numbers of elements. */
  readonly anonymous: ReadonlyMap<number, readonly OnnxTensor[]>;
  readonly #byName: ReadonlyMap<string | undefined, OnnxTensor>;
  readonly #inputs: ReadonlyMap<string | undefined, OnnxValueInfo>;

  constructor({ initializer, input }: OnnxGraph) {
    this.initializers = initializer;
    const anonymous = initializer.filter(({ name = '', dataType }) => ANONYMOUS.test(name) && isFloatType(dataType));
    const bySize = new Map<number, OnnxTensor[]>();
    for (const tensor of anonymous) {
      const size = fixedSize(tensor.dims);
      const alike = bySize.get(size);
      if (alike === undefined) bySize.set(size, [tensor]);
      else alike.push(tensor);
    }
    this.anonymous = bySize;
    this.#byName = new Map(initializer.map((tensor) => [tensor.name, tensor]));
    this.#inputs = new Map(input.map((each) => [each.name, each]));
  }

  get names(): readonly string[] {
    return [...this.#byName.keys(), ...this.#inputs.keys()].flatMap((name) => (name ? [name] : []));
  }

  has(name: string): boolean {
    return this.#byName.has(name) || this.#inputs.has(name);
  }

  typeOf(name: string, field: string): Pick<GraphInput, 'shape' | 'initial'> {
    const tensor = this.#byName.get(name);
    if (tensor !== undefined) return { shape: tensor.dims, initial: floatsOf(tensor) };
    const type = this.#inputs.get(name)?.type?.tensorType;
    const shape = (type?.shape?.dim ?? []).map(({ dimValue, dimParam }) => (dimParam === undefined ? (dimValue ?? 0) : 0));
    if (isFloatType(type?.elemType) && type?.shape !== undefined && !shape.includes(0)) return { shape };
    throw new UnsupportedModel(`The parameter '${name}' has no fixed shape of floats`, {
      field,
      value: `[${shape.join(', ')}]`,
      expected: 'floats of a fixed shape',
    });
  }
}

function bindFolded(
  builder: GraphBuilder,
  bound: Map<string, Value>,
  file: FileTensors,
  name: string,
  field: string,
  { values, parameters }: ParameterOptions,
): void {
  const known = values?.get(name);
  if (known === undefined) throw missing(field, name, file.names);
  const given = { name, ...known };
  const listed = new Set(parameters);
  const free = file.initializers.filter(
    (tensor) => isFloatType(tensor.dataType) && !bound.has(tensor.name ?? '') && !listed.has(tensor.name ?? ''),
  );
  const folded = findFolded(builder.work, given, free);
  if (folded.length === 0) throw missing(field, name, file.names);
  checkTelling(given, field);
  const value = builder.input({ ...parameter(name), shape: known.shape, initial: known.data });
  for (const { tensor, permutation } of folded) {
    bound.set(tensor.name ?? '', reshape(builder, transpose(builder, value, permutation), tensor.dims));
  }
}

function missing(field: string, name: string, known: readonly string[]): UnsupportedModel {
  const similar = nearest(name, known);
  const hint = similar.length > 0 ? ` (there is ${similar.join(', ')})` : '';
  return new UnsupportedModel(
    `The graph has no parameter '${name}'${hint}: the exporter folded it into another constant, or left it out`,
    {
      field,
      value: name,
      expected:
        'a weight of the graph under its own name; export without constant folding (do_constant_folding=False, optimize=False)',
    },
  );
}

/** Statistics and tables that frameworks keep beside their weights. */
const BUFFER =
  /(^|[./_])(running_(mean|var)|moving_(mean|variance)|num_batches_tracked|position_ids|inv_freq|attn_bias|relative_position_index)(:\d+)?$/;
/** Names that exporters make up for constants. */
const ANONYMOUS = /^(val_\d+|onnx::\w+_\d+|const_?.*|\d+)$/i;

/** Where nobody lists the parameters: weights by their names, and of what has no name of its own what is a matrix at least. */
export function trainedNames({ initializer, node }: OnnxGraph): string[] {
  const statistics = new Set(node.flatMap(({ opType, input }) => (opType === 'BatchNormalization' ? input.slice(3) : [])));
  return initializer.flatMap(({ name = '', dims, dataType }) => {
    const anonymous = ANONYMOUS.test(name) && dims.length < 2;
    return name === '' || !isFloatType(dataType) || statistics.has(name) || BUFFER.test(name) || anonymous ? [] : [name];
  });
}
