import { add, mul } from '../emit.js';
import { inverseRoot, momentsOf } from '../onnx/operators/standardise.js';
import type { Value } from '../op.js';
import { fixedDim, flag, lastAxis, number, only, unsupported } from './layer-use.js';
import type { LayerUse, Reader } from './layer-use.js';

function checkAxis(use: LayerUse, x: Value): void {
  const axis = use.layer.config['axis'] ?? -1;
  const list: unknown[] = Array.isArray(axis) ? axis : [axis];
  if (list.length === 1 && (list[0] === -1 || list[0] === lastAxis(x))) return;
  throw unsupported(use.layer, `axis ${JSON.stringify(axis)}`, 'the last axis');
}

function normalised(use: LayerUse, axes: readonly number[]): Value {
  const { builder } = use;
  const x = only(use);
  checkAxis(use, x);
  const channels = fixedDim(use, x, lastAxis(x));
  const { centred, variance } = momentsOf(builder, x, axes);
  const normal = mul(builder, centred, inverseRoot(builder, variance, number(use, 'epsilon', 1e-3)));
  const scaled = flag(use, 'scale', true) ? mul(builder, normal, use.parameter('gamma', [channels])) : normal;
  return flag(use, 'center', true) ? add(builder, scaled, use.parameter('beta', [channels])) : scaled;
}

/** As in training: with the mean and variance of the examples that are fed. */
export const batchNormalization: Reader = (use) =>
  normalised(
    use,
    only(use)
      .shape.map((_, axis) => axis)
      .slice(0, -1),
  );

export const layerNormalization: Reader = (use) => normalised(use, [lastAxis(only(use))]);
