import { compositionReaders } from '../onnx/operators/readers.js';
import type { OnnxReader, OpDefinition } from '../op.js';
import { addOp } from './add.js';
import { batchSizeOp } from './batch-size.js';
import { divOp } from './div.js';
import { expandOp } from './expand.js';
import { expOp } from './exp.js';
import { logSoftmaxOp } from './log-softmax.js';
import { logOp } from './log.js';
import { matmulOp } from './matmul.js';
import { mulOp } from './mul.js';
import { negOp } from './neg.js';
import { passThroughReaders } from './pass-through.js';
import { powOp } from './pow.js';
import { reduceSumOp } from './reduce-sum.js';
import { reluOp } from './relu.js';
import { reshapeOp } from './reshape.js';
import { sigmoidOp } from './sigmoid.js';
import { softmaxOp } from './softmax.js';
import { sqrtOp } from './sqrt.js';
import { stepOp } from './step.js';
import { subOp } from './sub.js';
import { tanhOp } from './tanh.js';
import { transposeOp } from './transpose.js';
import { concatOp } from './concat.js';
import { countingOp } from './counting.js';
import { cumsumOp } from './cumsum.js';
import { gatherElementsOp } from './gather-elements.js';
import { gatherOp } from './gather.js';
import { oneHotOp } from './one-hot.js';
import { scatterAddOp } from './scatter-add.js';
import { scatterElementsAddOp } from './scatter-elements-add.js';
import { sliceOp } from './slice.js';
import { unsliceOp } from './unslice.js';

const definitions: readonly OpDefinition[] = [
  addOp,
  batchSizeOp,
  divOp,
  expandOp,
  expOp,
  logOp,
  logSoftmaxOp,
  matmulOp,
  mulOp,
  negOp,
  powOp,
  reduceSumOp,
  reluOp,
  reshapeOp,
  sigmoidOp,
  softmaxOp,
  sqrtOp,
  stepOp,
  subOp,
  tanhOp,
  transposeOp,
  concatOp,
  countingOp,
  cumsumOp,
  gatherElementsOp,
  gatherOp,
  oneHotOp,
  scatterAddOp,
  scatterElementsAddOp,
  sliceOp,
  unsliceOp,
];

/** Every op there is. A derivative can emit no other. */
export const registry: ReadonlyMap<string, OpDefinition> = new Map(definitions.map((op) => [op.name, op]));

/** By the name of the ONNX operator. */
export const onnxReaders: ReadonlyMap<string, OnnxReader> = new Map([
  ...definitions.flatMap((op) => Object.entries(op.onnx.read)),
  ...Object.entries(passThroughReaders),
  ...Object.entries(compositionReaders),
]);

export function opNamed(name: string): OpDefinition {
  const op = registry.get(name);
  if (op === undefined) throw new Error(`There is no op '${name}' in the registry`);
  return op;
}
