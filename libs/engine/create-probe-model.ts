import type { Graph, LossSpec } from '#graph/index.js';
import type { Executor } from './executor.js';
import { chooseExecutor } from './executors/choose.js';
import type { ExecutorName } from './executors/names.js';
import type { ExecutorSettings } from './executors/open-executor.js';
import { createOrtCpuExecutor } from './executors/ort-cpu.js';
import { createReferenceExecutor } from './executors/reference.js';
import { translated } from './graph-errors.js';
import { GraphModel } from './graph-model.js';
import type { MemoryPlan } from './memory-plan.js';
import type { ProbeModel } from './probe-model.js';
import { toFeedable, type FeedableProbeSet, type ProbeSet } from './probe-set.js';

export interface ProbeModelOptions {
  /** A training graph, as `loadModel` makes it. */
  readonly graph: Graph;
  readonly probeSet: ProbeSet;
  /** The loss that was attached; only the Fisher information needs to know it. */
  readonly loss?: LossSpec | undefined;
  /** For what one run computes with and for what is kept between products; parameters come on top. */
  readonly memoryBytes?: number | undefined;
  /** Of ONNX Runtime; all cores by default. */
  readonly threads?: number | undefined;
  /** One that is open, or one that can be opened at once; {@link openProbeModel} takes every name. */
  readonly executor?: 'ort-cpu' | 'reference' | Executor | undefined;
}

/** A model as made by {@link createProbeModel}: a ProbeModel that also knows its graph, so that it can be checked. */
export interface CompiledModel extends ProbeModel {
  readonly graph: Graph;
  readonly probeSet: FeedableProbeSet;
  readonly plan: MemoryPlan;
  /** What a linearization keeps between products with the Hessian. */
  readonly keptBytes: number;
  /** The same model on its first examples. */
  narrowed(examples: number): CompiledModel;
}

const defaultMemoryBytes = 2 * 1024 ** 3;

/** Throws a StagewatchError when the probe set does not fit the model. */
export function createProbeModel(options: ProbeModelOptions): CompiledModel {
  const { graph, loss, memoryBytes = defaultMemoryBytes, threads, executor: wanted = 'ort-cpu' } = options;
  const probeSet = toFeedable(graph, options.probeSet);
  return translated(() => new GraphModel({ graph, probeSet, loss, memoryBytes, executor: opened(wanted, threads) }));
}

function opened(executor: 'ort-cpu' | 'reference' | Executor, threads: number | undefined): Executor {
  if (typeof executor !== 'string') return executor;
  return executor === 'reference' ? createReferenceExecutor() : createOrtCpuExecutor({ threads });
}

export interface OpenProbeModelOptions extends Omit<ProbeModelOptions, 'executor'>, ExecutorSettings {
  /** `auto` takes the fastest right one of those that can start here. */
  readonly executor?: ExecutorName | 'auto' | (string & {}) | undefined;
}

/** Like {@link createProbeModel}, on any executor. Throws a StagewatchError when the one that is asked for is not there. */
export async function openProbeModel(options: OpenProbeModelOptions): Promise<CompiledModel> {
  const { executor: asked = 'auto', tfjsDir, ...rest } = options;
  const { executor } = await chooseExecutor(asked, { threads: rest.threads, tfjsDir });
  return createProbeModel({ ...rest, executor });
}
