/** The front door of this room: models on probe sets, and what is needed to make one of what a job sent. */
export type {
  CurvatureKind,
  Linearization,
  LinearizeOptions,
  PerExampleLoss,
  Prediction,
  ProbeModel,
  Work,
} from './probe-model.js';
export { gradientJump } from './gradient-jump.js';
export { checkProduct, type ProductCheck } from './check-product.js';
export {
  createProbeModel,
  openProbeModel,
  type CompiledModel,
  type OpenProbeModelOptions,
  type ProbeModelOptions,
} from './create-probe-model.js';
export { describeExecutors, type ExecutorDescription, type ExecutorQuestion } from './describe-executors.js';
export { chooseExecutor } from './executors/choose.js';
export { cudaDevices, usesCuda } from './executors/gpu.js';
export { openExecutor } from './executors/discover.js';
export { executorNames, type ExecutorName } from './executors/names.js';
export type { ExecutorSettings } from './executors/open-executor.js';
export { loadModel, type ModelSource } from './load-model.js';
export { initialOf, loadModelFile, type LoadedModel, type ModelFile, type ModelFileOptions } from './model-file.js';
export type { NpyArray, NpyDType } from './npy.js';
export { readNpz, writeNpz } from './npz.js';
export { parametersFrom, readTensors, type ReadParameters } from './parameter-file.js';
export { readProbeSet, type ProbeSet } from './probe-set.js';
export { randomProbeSet } from './random-probe-set.js';
export { readSnapshot, type SnapshotTensor } from './snapshot.js';
