/** The front door of this room: a network as data, its derivatives, and the formats that it comes in and goes out in. */
export type {
  DType,
  Dim,
  GradientGraph,
  Graph,
  GraphInput,
  GraphOutput,
  LinearizedGraph,
  LossSpec,
  PrimalGraph,
  ProbeSetShape,
  Role,
  Shape,
  TangentGraph,
} from './graph.js';
export { GraphError, ProbeSetMismatch, UnknownOp, UnsupportedModel } from './errors.js';
export { attachLoss } from './attach-loss.js';
export { lossKindOf, lossOutputsOf, lossSpecOf } from './loss-convention.js';
export { checkProbeSet } from './check-probe-set.js';
export { exportOnnx } from './onnx/export.js';
export { importOnnx } from './onnx/import.js';
export type { OnnxImportOptions } from './onnx/import.js';
export { importTfjs, isTfjsGraphModel } from './tfjs/import-model.js';
export { gaussNewton, generalizedFisher } from './gauss-newton.js';
export { gradient } from './gradient.js';
export { forVectors, linearize } from './linearize.js';
export { mixesExamples } from './mixes-examples.js';
export { mlp } from './networks.js';
export type { MlpSpec } from './networks.js';
export { perExampleGradient } from './per-example.js';
export { jvp, vjp } from './prediction-derivatives.js';
export type { JvpGraph, VjpGraph } from './prediction-derivatives.js';
export { inputsOf, oneHot, parametersOf } from './queries.js';
export { referenceTensor } from './reference-tensor.js';
export type { ReferenceTensor } from './reference-tensor.js';
export { runReference } from './run-reference.js';
export type { ReferenceValues } from './run-reference.js';
export { elementsOf, factorOf, fixedSize, freeAxes, isFree, sizeOf } from './shapes.js';
