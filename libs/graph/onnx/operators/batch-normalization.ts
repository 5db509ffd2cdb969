import { add, mul, reshape, sub } from '../../emit.js';
import type { Emit, OnnxNode, OnnxReader, Value } from '../../op.js';
import { inverseRoot, momentsOf, perChannel } from './standardise.js';

/** An attribute since opset 14. Before, a node that computes statistics names more results than one. */
const isTraining = (node: OnnxNode): boolean => (node.opset >= 14 ? node.int('training_mode', 0) === 1 : node.outputCount > 1);

/** running ⊙ momentum + batch ⊙ (1 − momentum) */
const moved = (e: Emit, running: Value, batch: Value, momentum: number): Value =>
  add(e, mul(e, running, e.scalar(momentum)), mul(e, batch, e.scalar(1 - momentum)));

/**
 * In training mode with the statistics of the chunk's examples, through which derivatives flow; in evaluation mode with those
 * that came with the model. Training mode ties examples together (`mixesExamples`).
 */
export const batchNormalization: OnnxReader = (e, node) => {
  const x = node.input(0);
  const rank = x.shape.length;
  const [scale, shift] = [perChannel(e, node.input(1), rank), perChannel(e, node.input(2), rank)];
  const epsilon = node.float('epsilon', 1e-5);
  const from = (centred: Value, variance: Value): Value =>
    add(e, mul(e, centred, mul(e, scale, inverseRoot(e, variance, epsilon))), shift);
  if (!isTraining(node)) {
    return from(sub(e, x, perChannel(e, node.input(3), rank)), perChannel(e, node.input(4), rank));
  }
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const { mean, centred, variance } = momentsOf(e, x, axes);
  const momentum = node.float('momentum', 0.9);
  const vector = (value: Value): Value => reshape(e, value, [x.shape[1] ?? 1]);
  return [
    from(centred, variance),
    moved(e, node.input(3), vector(mean), momentum),
    moved(e, node.input(4), vector(variance), momentum),
  ];
};
