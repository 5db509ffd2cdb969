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
import { absOp } from './abs.js';
import { averagePoolGradientOp } from './average-pool-gradient.js';
import { averagePoolOp } from './average-pool.js';
import { convInputGradientOp } from './conv-input-gradient.js';
import { convOp } from './conv.js';
import { convWeightGradientOp } from './conv-weight-gradient.js';
import { maxPoolIndexOp } from './max-pool-index.js';
import { maxPoolOp } from './max-pool.js';
import { acosOp } from './acos.js';
import { acoshOp } from './acosh.js';
import { andOp } from './and.js';
import { argMaxOp } from './arg-max.js';
import { asinOp } from './asin.js';
import { asinhOp } from './asinh.js';
import { atanOp } from './atan.js';
import { atanhOp } from './atanh.js';
import { castOp } from './cast.js';
import { clipOp } from './clip.js';
import { cosOp } from './cos.js';
import { coshOp } from './cosh.js';
import { eluOp } from './elu.js';
import { equalOp } from './equal.js';
import { erfOp } from './erf.js';
import { floorOp } from './floor.js';
import { fmodOp } from './fmod.js';
import { hardSwishOp } from './hard-swish.js';
import { leakyReluOp } from './leaky-relu.js';
import { lessOrEqualOp } from './less-or-equal.js';
import { lessOp } from './less.js';
import { maxOp } from './max.js';
import { minOp } from './min.js';
import { notOp } from './not.js';
import { orOp } from './or.js';
import { powerOp } from './power.js';
import { quotientOp } from './quotient.js';
import { reduceLogSumExpOp } from './reduce-log-sum-exp.js';
import { reduceMaxOp } from './reduce-max.js';
import { reduceProdOp } from './reduce-prod.js';
import { roundOp } from './round.js';
import { signOp } from './sign.js';
import { sinOp } from './sin.js';
import { sinhOp } from './sinh.js';
import { softplusOp } from './softplus.js';
import { standInOp } from './stand-in.js';
import { tanOp } from './tan.js';
import { whereOp } from './where.js';

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
  convOp,
  convInputGradientOp,
  convWeightGradientOp,
  maxPoolOp,
  maxPoolIndexOp,
  averagePoolOp,
  averagePoolGradientOp,
  absOp,
  acosOp,
  acoshOp,
  andOp,
  argMaxOp,
  asinOp,
  asinhOp,
  atanOp,
  atanhOp,
  castOp,
  clipOp,
  cosOp,
  coshOp,
  eluOp,
  equalOp,
  erfOp,
  floorOp,
  fmodOp,
  hardSwishOp,
  leakyReluOp,
  lessOrEqualOp,
  lessOp,
  maxOp,
  minOp,
  notOp,
  orOp,
  powerOp,
  quotientOp,
  reduceLogSumExpOp,
  reduceMaxOp,
  reduceProdOp,
  roundOp,
  signOp,
  sinOp,
  sinhOp,
  softplusOp,
  standInOp,
  tanOp,
  whereOp,
];

/** Every op there is. A derivative can emit no other. */
export const registry: ReadonlyMap<string, OpDefinition> = new Map(definitions.map((op) => [op.name, op]));

export const isElementwise = (op: string): boolean => registry.get(op)?.elementwise === true;

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
