import type { Graph } from '#graph/index.js';
import { translated } from './graph-errors.js';
import { GraphModel } from './graph-model.js';
import { createOrtExecutor } from './ort-executor.js';
import type { MemoryPlan } from './memory-plan.js';
import type { ProbeModel } from './probe-model.js';
import { toFeedable, type FeedableProbeSet, type ProbeSet } from './probe-set.js';
import { createReferenceExecutor } from './reference-executor.js';

export interface ProbeModelOptions {
  /** A training graph, as `loadModel` makes it. */
  readonly graph: Graph;
  readonly probeSet: ProbeSet;
  /** For what one run computes with and for what is kept between products; parameters come on top. */
  readonly memoryBytes?: number | undefined;
  /** Of ONNX Runtime; all cores by default. */
  readonly threads?: number | undefined;
  readonly executor?: 'ort-cpu' | 'reference' | undefined;
}

/** A model as made by {@link createProbeModel}: a ProbeModel that also knows its graph, so that it can be checked. */
export interface CompiledModel extends ProbeModel {
  readonly graph: Graph;
  readonly probeSet: FeedableProbeSet;
  readonly plan: MemoryPlan;
  /** The same model on its first examples. */
  narrowed(examples: number): CompiledModel;
}

const defaultMemoryBytes = 1024 ** 3;

/** Throws a StagewatchError when the probe set does not fit the model. */
export function createProbeModel(options: ProbeModelOptions): CompiledModel {
  const { graph, memoryBytes = defaultMemoryBytes, threads, executor = 'ort-cpu' } = options;
  const probeSet = toFeedable(graph, options.probeSet);
  return translated(() =>
    executor === 'reference'
      ? new GraphModel({ graph, probeSet, memoryBytes, executor: createReferenceExecutor() })
      : new GraphModel({ graph, probeSet, memoryBytes, executor: createOrtExecutor({ threads }) }),
  );
}
