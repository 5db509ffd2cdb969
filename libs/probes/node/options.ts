import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { writeNpz, type NpzArray } from '#wire/npz.js';
import type { SenderModel, SenderOptions, SenderProbeSet } from './messages.js';
import { lossConvention, type LossOption } from './loss.js';
import { defaultSecretFolder } from './run-secrets.js';

/** Fixed examples to measure on, as they are fed to the network. */
export interface ProbeSetData {
  readonly x: NpzArray;
  /** Class indices as BigInt64Array of shape [n], or float32 targets. */
  readonly y: NpzArray;
  readonly classNames?: readonly string[];
}

export interface ModelData {
  readonly format: 'onnx' | 'tfjs-layers';
  /** The ONNX file, or the JSON text of a tfjs LayersModel or GraphModel. */
  readonly graph: Uint8Array | string;
  /** Trained parameters by their names in the graph, in the order of a snapshot's tensors. */
  readonly parameters: readonly string[];
}

export interface AttachOptions {
  /** `host:port` of the service. Default 127.0.0.1:7581. */
  readonly address?: string;
  readonly token?: string;
  readonly name: string;
  readonly project?: string;
  readonly framework?: string;
  readonly optimizer: {
    readonly name: string;
    readonly learningRate: number;
    readonly momentum?: number;
    readonly dampening?: number;
    readonly nesterov?: boolean;
    readonly beta1?: number;
    readonly beta2?: number;
    readonly epsilon?: number;
    readonly weightDecay?: number;
    readonly decoupledDecay?: boolean;
  };
  readonly loss: LossOption;
  /** Examples per update, where it is known. */
  readonly batchSize?: number;
  /** Each update sees the whole training set. */
  readonly fullBatch?: boolean;
  /** How many examples the training set has, where it is known. */
  readonly trainingExamples?: number;
  readonly plannedSteps?: number;
  readonly tags?: { readonly [name: string]: string };
  /** Takes up this run as its next attempt. */
  readonly resumeRunId?: string;
  /** Joins this attempt of it as a further rank. */
  readonly joinAttempt?: number;
  /**
   * What a live run is taken up and joined with. Default: what the service gave the run, kept in `secretFolder`. A job whose
   * processes share no folder gives all of them one of its own: at least 32 random characters of [A-Za-z0-9_-].
   */
  readonly runSecret?: string;
  /** Default: `~/.local/state/stagewatch/run-secrets`. */
  readonly secretFolder?: string;
  readonly rank?: number;
  readonly firstStep?: number;
  /** A snapshot every so many steps, whatever the service wishes. Default: dense at first, then as the service wishes. */
  readonly snapshotEvery?: number;
  /** Without a model the run is watched, and not measured. */
  readonly model?: ModelData;
  readonly train?: ProbeSetData;
  readonly val?: ProbeSetData;
  /** The framework's own loss on `train` at a step, for the service to compare with. */
  readonly reference?: { readonly loss: number; readonly gradientNorm?: number; readonly step?: number };
  /** Bound of what waits in memory. Default 256 MiB. */
  readonly memoryBytes?: number;
  /** Bound of what waits on disk while the service is away; 0 for none. Default 1 GiB. */
  readonly spoolBytes?: number;
  readonly spoolFolder?: string;
  /** How long the end of the process may wait for the last records. Default 10 s. */
  readonly drainMs?: number;
  readonly heartbeatMs?: number;
  readonly maxRetryMs?: number;
  /** Hears each problem once. Default: standard error. */
  readonly warn?: (text: string) => void;
}

const mib = 1024 * 1024;
export const defaults = {
  address: '127.0.0.1:7581',
  memoryBytes: 256 * mib,
  spoolBytes: 1024 * mib,
  drainMs: 10_000,
  heartbeatMs: 5000,
  maxRetryMs: 5000,
} as const;

const formats = { onnx: 'MODEL_FORMAT_ONNX', 'tfjs-layers': 'MODEL_FORMAT_TFJS_LAYERS' } as const;

/** What the sender needs, as plain data. */
export function senderOptions(options: AttachOptions): SenderOptions {
  const { optimizer, loss, tags = {} } = options;
  const none = {
    momentum: 0,
    dampening: 0,
    nesterov: false,
    beta1: 0,
    beta2: 0,
    epsilon: 0,
    weightDecay: 0,
    decoupledDecay: false,
  };
  return {
    address: options.address ?? defaults.address,
    token: options.token,
    attach: {
      instanceId: randomBytes(16).toString('hex'),
      name: options.name,
      project: options.project ?? '',
      framework: options.framework ?? 'node',
      optimizer: { ...none, ...optimizer, groups: [] },
      loss: lossConvention(loss),
      batchSize: options.batchSize ?? 0,
      fullBatch: options.fullBatch ?? false,
      trainingExamples: options.trainingExamples ?? 0,
      plannedSteps: options.plannedSteps ?? 0,
      tags: { ...tags },
      resumeRunId: options.resumeRunId ?? '',
      ...(options.joinAttempt === undefined ? {} : { joinAttempt: options.joinAttempt }),
      runSecret: options.runSecret ?? '',
      rank: options.rank ?? 0,
      firstStep: options.firstStep ?? 0,
      clientTimeMs: Date.now(),
    },
    model: senderModel(options),
    memoryBytes: options.memoryBytes ?? defaults.memoryBytes,
    spoolBytes: options.spoolBytes ?? defaults.spoolBytes,
    spoolFolder: options.spoolFolder ?? tmpdir(),
    secretFolder: options.secretFolder ?? defaultSecretFolder(),
    heartbeatMs: options.heartbeatMs ?? defaults.heartbeatMs,
    maxRetryMs: options.maxRetryMs ?? defaults.maxRetryMs,
  };
}

function senderModel({ model, train, val, reference }: AttachOptions): SenderModel | undefined {
  if (model === undefined || train === undefined) return undefined;
  return {
    format: formats[model.format],
    graph: typeof model.graph === 'string' ? Buffer.from(model.graph) : model.graph,
    parameters: [...model.parameters],
    train: probeSet(train),
    val: val === undefined ? undefined : probeSet(val),
    referenceLoss: reference?.loss,
    referenceGradientNorm: reference?.gradientNorm,
    referenceStep: reference?.step ?? 0,
  };
}

function probeSet({ x, y, classNames = [] }: ProbeSetData): SenderProbeSet {
  return { file: writeNpz({ x, y }), examples: x.shape[0] ?? 0, classNames: [...classNames] };
}
