/** What each tfjs layer computes. */
import type { GraphBuilder } from '../builder.js';
import { add, matmul, relu, reshape, sigmoid, softmax, tanh } from '../emit.js';
import { UnknownOp, UnsupportedModel } from '../errors.js';
import type { Dim } from '../graph.js';
import { nearest } from '../nearest.js';
import type { Value } from '../op.js';
import type { LayerJson } from './topology.js';
import { sizeOf } from '../shapes.js';

const DOMAIN = 'tfjs';

/** A layer at one place of the model. */
interface LayerUse {
  readonly builder: GraphBuilder;
  readonly layer: LayerJson;
  readonly inputs: readonly Value[];
  /** The layer's trained tensor, the same at each place where the layer is used. */
  parameter(name: string, shape: readonly number[]): Value;
}

type Reader = (use: LayerUse) => Value;
type Activation = (builder: GraphBuilder, x: Value) => Value;

const unsupported = ({ name, className }: LayerJson, problem: string, expected: string): UnsupportedModel =>
  new UnsupportedModel(`Layer '${name}' (${className}): ${problem}`, { field: `layer ${name}`, expected });

const lastAxis = (x: Value): number => x.shape.length - 1;

const activations: ReadonlyMap<string, Activation> = new Map<string, Activation>([
  ['linear', (_builder, x) => x],
  ['relu', relu],
  ['sigmoid', sigmoid],
  ['softmax', (builder, x) => softmax(builder, x, lastAxis(x))],
  ['tanh', tanh],
]);

function only({ layer, inputs }: LayerUse): Value {
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0) throw unsupported(layer, `${inputs.length} inputs`, 'one input');
  return input;
}

function activated({ builder, layer }: LayerUse, x: Value): Value {
  const op = layer.config.activation ?? 'linear';
  const activation = activations.get(op);
  if (activation !== undefined) return activation(builder, x);
  const known = [...activations.keys()];
  throw new UnknownOp({ node: layer.name, op, domain: `${DOMAIN} activation`, nearest: nearest(op, known), known });
}

function dense(use: LayerUse): Value {
  const { builder, layer } = use;
  const { units, use_bias: hasBias = true, kernel_regularizer: kernelPenalty, bias_regularizer: biasPenalty } = layer.config;
  const x = only(use);
  const inner = x.shape[lastAxis(x)];
  if (units === undefined || typeof inner !== 'number') throw unsupported(layer, 'unknown sizes', 'units, and a fixed last axis');
  // A penalty is part of the loss that is trained; leaving it out would measure another network.
  if (kernelPenalty || biasPenalty) throw unsupported(layer, 'a regularizer', 'no regularizer, or weight decay in the optimizer');
  const product = matmul(builder, x, use.parameter('kernel', [inner, units]));
  return activated(use, hasBias ? add(builder, product, use.parameter('bias', [units])) : product);
}

function flatten(use: LayerUse): Value {
  const x = only(use);
  const size = sizeOf(x.shape.slice(1)) ?? Number.NaN;
  return reshape(use.builder, x, ['batch', size]);
}

function reshaped(use: LayerUse): Value {
  const { config } = use.layer;
  const x = only(use);
  const target = config.target_shape ?? [];
  const total = x.shape.slice(1).reduce<number>((product, dim) => product * Number(dim), 1);
  const known = target.reduce<number>((product, dim) => product * (dim !== null && dim > 0 ? dim : 1), 1);
  return reshape(use.builder, x, ['batch', ...target.map((dim): Dim => (dim !== null && dim > 0 ? dim : total / known))]);
}

function sum(use: LayerUse): Value {
  const [first, ...rest] = use.inputs;
  if (first === undefined) throw unsupported(use.layer, 'no inputs', 'tensors to add');
  return rest.reduce((total, x) => add(use.builder, total, x), first);
}

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['Activation', (use) => activated(use, only(use))],
  ['Add', sum],
  ['Dense', dense],
  // Measured as it predicts: without dropping.
  ['Dropout', only],
  ['Flatten', flatten],
  [
    'ReLU',
    (use) => {
      if (use.layer.config.max_value != null) throw unsupported(use.layer, 'a largest value', 'no largest value');
      return relu(use.builder, only(use));
    },
  ],
  ['Reshape', reshaped],
  [
    'Softmax',
    (use) => {
      const x = only(use);
      const axis = use.layer.config.axis ?? -1;
      return softmax(use.builder, x, axis < 0 ? axis + x.shape.length : axis);
    },
  ],
]);

export function readLayer(use: LayerUse): Value {
  const { className, name } = use.layer;
  const reader = readers.get(className);
  if (reader === undefined) {
    const known = ['InputLayer', ...readers.keys()].sort();
    throw new UnknownOp({ node: name, op: className, domain: DOMAIN, nearest: nearest(className, known), known });
  }
  return reader(use);
}
