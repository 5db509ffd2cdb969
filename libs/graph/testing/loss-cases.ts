/** PyTorch's own losses, gradients and products of small models (test/golden/losses/make.py). */
import { readFileSync } from 'node:fs';
import { attachLoss } from '../attach-loss.js';
import { GraphBuilder } from '../builder.js';
import { matmul, transpose } from '../emit.js';
import type { Graph, LossSpec, Shape } from '../graph.js';
import { inputsOf, oneHot } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';

interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export interface LossCase {
  readonly name: string;
  readonly spec: LossSpec;
  readonly x: Numbers;
  readonly w: Numbers;
  readonly y: Numbers;
  readonly v: Numbers;
  readonly loss: number;
  readonly gradient: readonly number[];
  readonly product: readonly number[];
}

export const lossCases = JSON.parse(
  readFileSync(new URL('../../../test/golden/losses/losses.json', import.meta.url), 'utf8'),
) as readonly LossCase[];

/** How a target may come in: classes are one-hot or indices, everything else is values. */
export type TargetForm = 'one-hot' | 'index' | 'values';

export const formsOf = ({ spec }: LossCase): readonly TargetForm[] =>
  spec.kind === 'cross-entropy' && spec.targets !== 'probabilities' ? ['one-hot', 'index'] : ['values'];

/** The model is one product with the parameter `w`. */
export function trainingOf({ spec, x, w }: LossCase, form: TargetForm): Graph {
  const builder = new GraphBuilder();
  const theta = builder.input({ name: 'w', role: 'parameter', dtype: 'float32', shape: w.shape });
  const shape: Shape = ['batch', ...x.shape.slice(1)];
  const product = matmul(builder, builder.input({ name: 'x', role: 'data', dtype: 'float32', shape }), theta);
  const value = spec.classAxis === 'second' ? transpose(builder, product, [0, 2, 1]) : product;
  return attachLoss(builder.build([{ name: 'out', value }]), spec, form === 'index' ? { maxOneHotClasses: 0 } : {});
}

export const tensorOf = ({ shape, data }: Numbers): ReferenceTensor => referenceTensor(shape, data);

export function targetOf(training: Graph, { y }: LossCase): ReferenceTensor {
  const [target] = inputsOf(training, 'target');
  if (target?.encoding !== 'one-hot') return tensorOf(y);
  const classes = target.classes ?? 0;
  return referenceTensor([...y.shape, classes], oneHot(y.data, classes, target.ignoredClass));
}
