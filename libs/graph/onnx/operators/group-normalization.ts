/** Normalisations of the channels of each example, over space. */
import { add, div, mul, reshape, sqrt } from '../../emit.js';
import type { OnnxReader, Value } from '../../op.js';
import { fixedSize, normalizeAxis, showShape } from '../../shapes.js';
import { axesFrom, inverseRoot, momentsOf, perChannel } from './standardise.js';

export const instanceNormalization: OnnxReader = (e, node) => {
  const x = node.input(0);
  const rank = x.shape.length;
  const { centred, variance } = momentsOf(e, x, axesFrom(x, 2));
  const factor = mul(e, perChannel(e, node.input(1), rank), inverseRoot(e, variance, node.float('epsilon', 1e-5)));
  return add(e, mul(e, centred, factor), perChannel(e, node.input(2), rank));
};

export const groupNormalization: OnnxReader = (e, node) => {
  const x = node.input(0);
  const [examples, channels, ...space] = x.shape;
  const groups = node.int('num_groups', 0);
  const inGroup = Number(channels) / groups;
  if (examples === undefined || !Number.isInteger(inGroup)) {
    throw node.unsupported(`${groups} groups of the channels of ${showShape(x.shape)}`, 'groups that divide the channels');
  }
  const grouped = reshape(e, x, [examples, groups, inGroup, fixedSize(space)]);
  const { centred, variance } = momentsOf(e, grouped, [2, 3]);
  const standard = mul(e, centred, inverseRoot(e, variance, node.float('epsilon', 1e-5)));
  // One number for each group until opset 20, for each channel since 21; some exporters wrote the latter before.
  const spread = (vector: Value): Value => reshape(e, vector, [1, groups, vector.shape[0] === groups ? 1 : inGroup, 1]);
  return reshape(e, add(e, mul(e, standard, spread(node.input(1))), spread(node.input(2))), x.shape);
};

/** Over the examples too by default. ONNX defines it with 1e-9 added to the standard deviation. */
export const meanVarianceNormalization: OnnxReader = (e, node) => {
  const x = node.input(0);
  const axes = (node.ints('axes') ?? [0, 2, 3]).map((axis) => normalizeAxis(axis, x.shape.length));
  const { centred, variance } = momentsOf(e, x, axes);
  return div(e, centred, add(e, sqrt(e, variance), e.scalar(1e-9)));
};
