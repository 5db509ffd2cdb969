/** The JSON of a tfjs GraphModel: a TensorFlow GraphDef as protobuf writes it in JSON, and a list of its weights. */
import { z } from 'zod';
import { UnsupportedModel } from '../errors.js';
import { limits } from '../limits.js';

const whole = z.union([z.number(), z.string().regex(/^-?\d+$/)]).transform(Number);
const shape = z.object({
  dim: z.array(z.object({ size: whole.optional() })).optional(),
  unknownRank: z.boolean().optional(),
});

const node = z.object({
  name: z.string().max(limits.nameBytes),
  op: z.string().max(limits.nameBytes),
  input: z.array(z.string().max(limits.nameBytes + 20)).optional(),
  attr: z.record(z.string(), z.unknown()).optional(),
});

const ends = z.record(z.string(), z.looseObject({ name: z.string().optional(), tensorShape: shape.optional() }));
const signature = z.object({ inputs: ends.nullish(), outputs: ends.nullish() });

const quantization = z.object({
  dtype: z.enum(['uint8', 'uint16', 'float16']),
  scale: z.number().optional(),
  min: z.number().optional(),
});
const weight = z.object({
  name: z.string().max(limits.nameBytes),
  shape: z.array(z.number().int().nonnegative()).max(limits.axes),
  dtype: z.string(),
  quantization: quantization.optional(),
});
const group = z.object({ paths: z.array(z.string()), weights: z.array(weight) });

const model = z.object({
  modelTopology: z.object({
    node: z.array(node).max(limits.nodes),
    library: z.object({ function: z.array(z.unknown()).optional() }).nullish(),
  }),
  weightsManifest: z.array(group).optional(),
  signature: signature.nullish(),
  userDefinedMetadata: z.looseObject({ signature: signature.nullish() }).nullish(),
});

const placeholder = z.object({ dtype: z.object({ type: z.string() }), shape: z.object({ shape }).nullish() });

export type TensorFlowNode = z.infer<typeof node>;
export type WeightGroup = z.infer<typeof group>;
export type WeightEntry = z.infer<typeof weight>;
export type TensorShape = z.infer<typeof shape>;

/** What the file calls an input or an output, and the node that it is. */
export interface End {
  readonly name: string;
  readonly tensor: string;
  readonly shape: TensorShape | undefined;
}

export interface GraphDef {
  readonly nodes: readonly TensorFlowNode[];
  readonly weights: readonly WeightGroup[];
  /** As the file's signature lists them; undefined where it has none. */
  readonly inputs: readonly End[] | undefined;
  readonly outputs: readonly End[] | undefined;
}

/** True of the JSON of a GraphModel, which is called so in `format` and lists nodes; a LayersModel lists layers. */
export function isGraphModel(json: unknown): boolean {
  if (typeof json !== 'object' || json === null) return false;
  if ('format' in json) return json.format === 'graph-model';
  const topology = 'modelTopology' in json ? json.modelTopology : undefined;
  return typeof topology === 'object' && topology !== null && 'node' in topology;
}

export function readGraphDef(json: unknown): GraphDef {
  const parsed = model.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UnsupportedModel('The tfjs model has another form than a GraphModel', {
      field: issue?.path.join('.') ?? 'graph',
      expected: issue?.message ?? 'a GraphModel',
    });
  }
  const { modelTopology, weightsManifest = [], userDefinedMetadata } = parsed.data;
  const signed = parsed.data.signature ?? userDefinedMetadata?.signature;
  return {
    nodes: modelTopology.node,
    weights: weightsManifest,
    inputs: endsOf(signed?.inputs),
    outputs: endsOf(signed?.outputs),
  };
}

function endsOf(list: z.infer<typeof ends> | null | undefined): readonly End[] | undefined {
  const entries = Object.entries(list ?? {});
  if (entries.length === 0) return undefined;
  return entries.map(([name, each]) => ({ name, tensor: each.name ?? name, shape: each.tensorShape }));
}

/** The type of a placeholder, and its shape where it says one. */
export function placeholderOf({ attr }: TensorFlowNode): { readonly type: string; readonly shape: TensorShape | undefined } {
  const parsed = placeholder.safeParse(attr);
  return { type: parsed.data?.dtype.type ?? '', shape: parsed.data?.shape?.shape };
}

/** `^name` is an order of execution, not a value; output 0 may be written or not. */
export function sourceOf(input: string): { readonly node: string; readonly output: number } | undefined {
  if (input.startsWith('^')) return undefined;
  const [, node = input, place = '0'] = /^(.*):(\d+)$/.exec(input) ?? [];
  return { node, output: Number(place) };
}

/** One name for each value: what `sourceOf` says. */
export const keyOf = (node: string, output: number): string => `${node}:${output}`;
