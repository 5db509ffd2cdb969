// Generated from proto/stagewatch/v1 by libs/wire/generate-types.ts (npm run generate). Do not edit.
// Every field is present after decoding; a message that was not sent is null, and of a oneof at most one is there,
// whose name stands in the field that is called as the oneof.

export interface Record {
  sequence: number;
  step: number;
  clientTimeMs: number;
  scalars?: ScalarBatch;
  snapshot?: Snapshot;
  gradient?: Gradient;
  gap?: Gap;
  heartbeat?: Heartbeat;
  end?: End;
  sketch?: GradientSketch;
  taken?: SnapshotTaken;
  body?: 'scalars' | 'snapshot' | 'gradient' | 'gap' | 'heartbeat' | 'end' | 'sketch' | 'taken';
}

export interface ScalarBatch {
  names: string[];
  nameIndex: number[];
  steps: number[];
  values: number[];
}

export interface TensorLayout {
  name: string;
  dtype: string;
  shape: number[];
  offset: number;
  bytes: number;
}

export interface SnapshotTaken {
  learningRate: number;
  reason: string;
}

export interface Snapshot {
  blob: string;
  tensors: TensorLayout[];
  learningRate: number;
  reason: string;
  taken: number;
  step: number;
}

export interface Gradient {
  blob: string;
  tensors: TensorLayout[];
}

export interface GradientSketch {
  method: string;
  seed: number;
  parameters: number;
  values: number[];
}

export interface Gap {
  firstSequence: number;
  lastSequence: number;
  points: number;
  snapshots: number;
  reason: string;
  firstStep: number;
  lastStep: number;
  taken: number[];
}

export interface Heartbeat {
  queuedRecords: number;
  spooledBytes: number;
}

export interface End {
  status: string;
  message: string;
}

export type ModelFormat =
  | 'MODEL_FORMAT_UNSPECIFIED'
  | 'MODEL_FORMAT_ONNX'
  | 'MODEL_FORMAT_TFJS_LAYERS'
  ;

export interface ModelDescription {
  format: ModelFormat;
  graphDigest: string;
  parameters: string[];
  train: ProbeSet | null;
  val: ProbeSet | null;
  referenceLoss?: number;
  referenceGradientNorm?: number;
  referenceStep: number;
  aliases: { [key: string]: string };
  unused: UnusedParameter[];
  unmeasured: string;
  noisyTraining: boolean;
}

export interface UnusedParameter {
  name: string;
  shape: number[];
}

export interface ProbeSet {
  digest: string;
  examples: number;
  classNames: string[];
}

export interface AttachRunRequest {
  instanceId: string;
  name: string;
  project: string;
  framework: string;
  optimizer: Optimizer | null;
  loss: LossConvention | null;
  batchSize: number;
  plannedSteps: number;
  tags: { [key: string]: string };
  resumeRunId: string;
  joinAttempt?: number;
  rank: number;
  clientTimeMs: number;
  firstStep: number;
  runSecret: string;
  trainingExamples: number;
  fullBatch: boolean;
}

export interface AttachRunResponse {
  runId: string;
  attempt: number;
  nextSequence: number;
  limits: Limits | null;
  pageUrl: string;
  runSecret: string;
}

export interface Limits {
  messageBytes: number;
  chunkBytes: number;
  blobBytes: number;
  metricsPerRun: number;
  nameBytes: number;
}

export interface Optimizer {
  name: string;
  learningRate: number;
  momentum: number;
  dampening: number;
  nesterov: boolean;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  decoupledDecay: boolean;
  groups: OptimizerGroup[];
}

export interface OptimizerGroup {
  learningRate: number;
  momentum: number;
  dampening: number;
  nesterov: boolean;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  parameters: string[];
  parameterCount: number;
}

export interface LossConvention {
  kind: LossKind;
  reduction: LossReduction;
  halved: boolean;
  labelSmoothing: number;
  ignoredClass?: number;
  probabilities: boolean;
  classesSecond: boolean;
  tokens: LossTokens;
  delta: number;
  output: string;
  target: string;
  weightDecay: number;
  weightDecayParameters: string[];
  weights: string;
}

export type LossTokens =
  | 'LOSS_TOKENS_UNSPECIFIED'
  | 'LOSS_TOKENS_MEAN'
  | 'LOSS_TOKENS_EXAMPLE_MEAN'
  | 'LOSS_TOKENS_SUM'
  ;

export type LossKind =
  | 'LOSS_KIND_UNSPECIFIED'
  | 'LOSS_KIND_CROSS_ENTROPY'
  | 'LOSS_KIND_MEAN_SQUARED_ERROR'
  | 'LOSS_KIND_BINARY_CROSS_ENTROPY'
  | 'LOSS_KIND_HUBER'
  | 'LOSS_KIND_SMOOTH_L1'
  | 'LOSS_KIND_OUTPUT'
  ;

export type LossReduction =
  | 'LOSS_REDUCTION_UNSPECIFIED'
  | 'LOSS_REDUCTION_SUM_OUTPUTS'
  | 'LOSS_REDUCTION_MEAN_OUTPUTS'
  ;

export interface DescribeModelRequest {
  runId: string;
  attempt: number;
  instanceId: string;
  model: ModelDescription | null;
}

export interface DescribeModelResponse {
  parameters: string[];
  parameterCount: number;
  missingDigests: string[];
}

export interface UploadBlobRequest {
  header?: BlobHeader;
  chunk?: BlobChunk;
  end?: BlobEnd;
  part?: 'header' | 'chunk' | 'end';
}

export interface BlobHeader {
  runId: string;
  attempt: number;
  instanceId: string;
  kind: BlobKind;
  key: string;
  totalBytes: number;
}

export type BlobKind =
  | 'BLOB_KIND_UNSPECIFIED'
  | 'BLOB_KIND_ARTIFACT'
  | 'BLOB_KIND_SNAPSHOT'
  | 'BLOB_KIND_GRADIENT'
  ;

export interface BlobChunk {
  offset: number;
  crc32: number;
  data: Buffer;
}

export interface BlobEnd {
  crc32: number;
}

export interface UploadBlobResponse {
  durableBytes: number;
  blob: string;
}

export interface StreamRecordsRequest {
  hello?: StreamHello;
  batch?: RecordBatch;
  part?: 'hello' | 'batch';
}

export interface StreamHello {
  runId: string;
  attempt: number;
  rank: number;
  instanceId: string;
}

export interface RecordBatch {
  records: Record[];
}

export interface StreamRecordsResponse {
  welcome?: Welcome;
  acknowledgement?: Acknowledgement;
  control?: Control;
  part?: 'welcome' | 'acknowledgement' | 'control';
}

export interface Welcome {
  nextSequence: number;
  creditBytes: number;
}

export interface Acknowledgement {
  sequence: number;
  creditBytes: number;
}

export interface Control {
  snapshotNow?: SnapshotNow;
  cadence?: Cadence;
  stopSending?: StopSending;
  wish?: 'snapshotNow' | 'cadence' | 'stopSending';
}

export interface SnapshotNow {
  reason: string;
}

export interface Cadence {
  fromStep: number;
  everySteps: number;
  factor: number;
  untilStep: number;
  forMs: number;
}

export interface StopSending {
  reason: string;
}

export interface Envelope {
  runId: string;
  attempt: number;
  rank: number;
  receivedTimeMs: number;
  record?: Record;
  attached?: AttachRunRequest;
  model?: ModelDescription;
  presence?: Presence;
  sequenceGap?: SequenceGap;
  measured?: Measured;
  body?: 'record' | 'attached' | 'model' | 'presence' | 'sequenceGap' | 'measured';
}

export type PresenceState =
  | 'PRESENCE_STATE_UNSPECIFIED'
  | 'PRESENCE_STATE_LOST'
  | 'PRESENCE_STATE_RETURNED'
  ;

export interface Presence {
  state: PresenceState;
  silentMs: number;
  step: number;
}

export interface SequenceGap {
  firstSequence: number;
  lastSequence: number;
  step: number;
}

export interface Measured {
  snapshots: number[];
  measurement?: Measurement;
  leftOut?: string;
  failed?: string;
  outcome?: 'measurement' | 'leftOut' | 'failed';
}

export interface Measurement {
  readings: MeasuredReading[];
  instruments: InstrumentState[];
  trackerBlob: string;
  check: ModelCheck | null;
}

export interface MeasuredReading {
  name: string;
  key: string;
  value: number;
  bound: number;
  products: number;
  seconds: number;
  device: string;
  probeDigest: string;
}

export interface InstrumentState {
  instrument: string;
  on: boolean;
  reason: string;
}

export interface ModelCheck {
  ok: boolean;
  reason: string;
}

/** Every message by its name. */
export interface Messages {
  Record: Record;
  ScalarBatch: ScalarBatch;
  TensorLayout: TensorLayout;
  SnapshotTaken: SnapshotTaken;
  Snapshot: Snapshot;
  Gradient: Gradient;
  GradientSketch: GradientSketch;
  Gap: Gap;
  Heartbeat: Heartbeat;
  End: End;
  ModelDescription: ModelDescription;
  UnusedParameter: UnusedParameter;
  ProbeSet: ProbeSet;
  AttachRunRequest: AttachRunRequest;
  AttachRunResponse: AttachRunResponse;
  Limits: Limits;
  Optimizer: Optimizer;
  OptimizerGroup: OptimizerGroup;
  LossConvention: LossConvention;
  DescribeModelRequest: DescribeModelRequest;
  DescribeModelResponse: DescribeModelResponse;
  UploadBlobRequest: UploadBlobRequest;
  BlobHeader: BlobHeader;
  BlobChunk: BlobChunk;
  BlobEnd: BlobEnd;
  UploadBlobResponse: UploadBlobResponse;
  StreamRecordsRequest: StreamRecordsRequest;
  StreamHello: StreamHello;
  RecordBatch: RecordBatch;
  StreamRecordsResponse: StreamRecordsResponse;
  Welcome: Welcome;
  Acknowledgement: Acknowledgement;
  Control: Control;
  SnapshotNow: SnapshotNow;
  Cadence: Cadence;
  StopSending: StopSending;
  Envelope: Envelope;
  Presence: Presence;
  SequenceGap: SequenceGap;
  Measured: Measured;
  Measurement: Measurement;
  MeasuredReading: MeasuredReading;
  InstrumentState: InstrumentState;
  ModelCheck: ModelCheck;
}
