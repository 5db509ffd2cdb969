/** Normalisations of each example, or of each token, over its last axes. */
import { add, mul, reduceMean } from '../../emit.js';
import type { OnnxNode, OnnxReader, Value } from '../../op.js';
import { normalizeAxis } from '../../shapes.js';
import { axesFrom, inverseRoot, momentsOf, scaledAndShifted } from './standardise.js';

const normalisedAxes = (node: OnnxNode, x: Value): number[] => axesFrom(x, normalizeAxis(node.int('axis', -1), x.shape.length));

export const layerNormalization: OnnxReader = (e, node) => {
  const x = node.input(0);
  const { mean, centred, variance } = momentsOf(e, x, normalisedAxes(node, x));
  const inverse = inverseRoot(e, variance, node.float('epsilon', 1e-5));
  return [scaledAndShifted(e, node, mul(e, centred, inverse), 1, 2), mean, inverse];
};

/** By the root of the mean square, without a mean taken off. */
export const rmsNormalization: OnnxReader = (e, node) => {
  const x = node.input(0);
  const square = reduceMean(e, mul(e, x, x), normalisedAxes(node, x), true);
  const inverse = inverseRoot(e, square, node.float('epsilon', 1e-5));
  return [scaledAndShifted(e, node, mul(e, x, inverse), 1), inverse];
};

/** Inputs: x, what skipped the layer, scale, shift, bias of the layer. */
export const skipLayerNormalization: OnnxReader = (e, node) => {
  const sum = add(e, node.input(0), node.input(1));
  const x = node.has(4) ? add(e, sum, node.input(4)) : sum;
  const { mean, centred, variance } = momentsOf(e, x, axesFrom(x, x.shape.length - 1));
  const inverse = inverseRoot(e, variance, node.float('epsilon', 1e-12));
  return [scaledAndShifted(e, node, mul(e, centred, inverse), 2, 3), mean, inverse, x];
};

/** As above by the root of the mean square. Inputs: x, what skipped the layer, scale, bias of the layer. */
export const skipSimplifiedLayerNormalization: OnnxReader = (e, node) => {
  const sum = add(e, node.input(0), node.input(1));
  const x = node.has(3) ? add(e, sum, node.input(3)) : sum;
  const square = reduceMean(e, mul(e, x, x), axesFrom(x, x.shape.length - 1), true);
  const inverse = inverseRoot(e, square, node.float('epsilon', 1e-12));
  return [scaledAndShifted(e, node, mul(e, x, inverse), 2), undefined, inverse, x];
};
