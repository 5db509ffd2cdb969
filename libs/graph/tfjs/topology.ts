/** The JSON text of a tfjs LayersModel: `model.toJSON()`, or the `model.json` that `model.save` writes. */
import { z } from 'zod';
import { UnsupportedModel } from '../errors.js';

const dims = z.array(z.number().int().nullable());

const config = z.looseObject({
  name: z.string().optional(),
  batch_input_shape: dims.optional(),
  units: z.number().int().positive().optional(),
  activation: z.string().nullish(),
  use_bias: z.boolean().optional(),
  kernel_regularizer: z.unknown().optional(),
  bias_regularizer: z.unknown().optional(),
  target_shape: dims.optional(),
  axis: z.union([z.number().int(), z.array(z.number().int())]).optional(),
  max_value: z.number().nullish(),
});

const layer = z.object({
  class_name: z.string(),
  name: z.string().optional(),
  config,
  // A list of uses; each is a list of [layer, use of it, output of it, arguments].
  inbound_nodes: z.array(z.array(z.tuple([z.string(), z.number(), z.number()]).rest(z.unknown()))).optional(),
});

const ends = z.array(z.tuple([z.string(), z.number(), z.number()]));

const body = z.object({ layers: z.array(layer), input_layers: ends.optional(), output_layers: ends.optional() });

const model = z.object({
  class_name: z.enum(['Sequential', 'Model', 'Functional']),
  // Early versions wrote a sequential model as a bare list.
  config: z.preprocess((value) => (Array.isArray(value) ? { layers: value as unknown[] } : value), body),
});

/** Where a value comes from: a layer, and which of its uses. */
export type Place = readonly [layer: string, use: number];

export interface LayerJson {
  readonly name: string;
  readonly className: string;
  readonly config: z.infer<typeof config>;
  /** For each use, where its inputs come from. */
  readonly uses: readonly (readonly Place[])[];
}

export interface Topology {
  readonly layers: readonly LayerJson[];
  readonly output: Place;
  /** With `null` for the free axis. */
  readonly inputShape: readonly (number | null)[];
  /** The layer that stands for the data. */
  readonly input: string;
}

const unsupported = (problem: string, field: string, expected: string, cause?: unknown): UnsupportedModel =>
  new UnsupportedModel(`The tfjs model ${problem}`, { field, expected }, cause);

export function readTopology(text: string): Topology {
  const parsed = model.safeParse(unwrap(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw unsupported('has another form than a LayersModel', issue?.path.join('.') ?? 'graph', issue?.message ?? 'a LayersModel');
  }
  const { class_name: kind, config: network } = parsed.data;
  const layers = network.layers.map((each, i) => {
    const uses = (each.inbound_nodes ?? []).map((use) => use.map(([name, index]): Place => [name, index]));
    return { name: each.name ?? each.config.name ?? `layer${i}`, className: each.class_name, config: each.config, uses };
  });
  return kind === 'Sequential' ? chained(layers) : functional(layers, network.input_layers ?? [], network.output_layers ?? []);
}

function unwrap(text: string): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw unsupported('is not JSON', 'graph', 'the text of model.toJSON()', cause);
  }
  for (const wrapper of ['modelTopology', 'model_config']) {
    if (typeof json === 'object' && json !== null && wrapper in json) json = (json as Record<string, unknown>)[wrapper];
  }
  return json;
}

const DATA = 'input of the model';

/** A sequential model: each layer takes the one before. Its data layer is written or implied by the first layer. */
function chained(layers: readonly LayerJson[]): Topology {
  const inputShape = layers[0]?.config.batch_input_shape;
  if (inputShape === undefined) throw unsupported('has no input shape', 'config.layers[0].config', 'batch_input_shape');
  const computing = layers.filter(({ className }) => className !== 'InputLayer');
  const linked = computing.map((layer, i) => ({ ...layer, uses: [[[computing[i - 1]?.name ?? DATA, 0] as const]] }));
  return { layers: linked, inputShape, input: DATA, output: [computing.at(-1)?.name ?? DATA, 0] };
}

type Ends = readonly (readonly [string, number, number])[];

function functional(layers: readonly LayerJson[], inputs: Ends, outputs: Ends): Topology {
  const [input, output] = [inputs[0], outputs[0]];
  if (input === undefined || inputs.length > 1)
    throw unsupported(`has ${inputs.length} inputs`, 'config.input_layers', 'one input');
  if (output === undefined || outputs.length > 1)
    throw unsupported(`has ${outputs.length} outputs`, 'config.output_layers', 'one output');
  const inputShape = layers.find(({ name }) => name === input[0])?.config.batch_input_shape;
  if (inputShape === undefined) throw unsupported('has no input shape', `layer ${input[0]}`, 'batch_input_shape');
  const computing = layers.filter(({ name }) => name !== input[0]);
  return { layers: computing, inputShape, input: input[0], output: [output[0], output[1]] };
}
