import { logSoftmax, relu, sigmoid, softmax, tanh } from '../emit.js';
import { elu, gelu, geluTanh, hardSigmoid, mish, selu, silu, softplus, softsign } from '../emit/activations.js';
import { clip } from '../emit/elementwise.js';
import { UnknownOp } from '../errors.js';
import { nearest } from '../nearest.js';
import type { Emit, Value } from '../op.js';
import { DOMAIN } from './layer-use.js';
import type { LayerUse } from './layer-use.js';

type Activation = (e: Emit, x: Value) => Value;

const last = (x: Value): number => x.shape.length - 1;

/** Klambauer et al. 2017, section 2: α and λ. */
const SELU = [1.6732632423543772, 1.0507009873554805] as const;

const activations: ReadonlyMap<string, Activation> = new Map<string, Activation>([
  ['elu', (e, x) => elu(e, x)],
  ['gelu', gelu],
  ['gelu_new', geluTanh],
  ['hard_sigmoid', (e, x) => hardSigmoid(e, x, 0.2, 0.5)],
  ['linear', (_e, x) => x],
  ['log_softmax', (e, x) => logSoftmax(e, x, last(x))],
  ['mish', mish],
  ['relu', relu],
  ['relu6', (e, x) => clip(e, x, { low: 0, high: 6 })],
  ['selu', (e, x) => selu(e, x, SELU[0], SELU[1])],
  ['sigmoid', sigmoid],
  ['softmax', (e, x) => softmax(e, x, last(x))],
  ['softplus', softplus],
  ['softsign', softsign],
  ['swish', (e, x) => silu(e, x)],
  ['tanh', tanh],
]);

/** The activation that a layer names under `setting`, as JavaScript or Python writes it. */
export function activationOf({ layer }: LayerUse, setting: string, byDefault: string): Activation {
  const given = layer.config[setting] ?? byDefault;
  const op = typeof given === 'string' ? given : JSON.stringify(given);
  const activation = activations.get(op.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)) ?? activations.get(op);
  if (activation !== undefined) return activation;
  const known = [...activations.keys()];
  throw new UnknownOp({ node: layer.name, op, domain: `${DOMAIN} activation`, nearest: nearest(op, known), known });
}

export const activated = (use: LayerUse, x: Value): Value => activationOf(use, 'activation', 'linear')(use.builder, x);
