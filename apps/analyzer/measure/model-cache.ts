import { loadModel, openProbeModel, readProbeSet, type CompiledModel } from '#engine/index.js';
import { elementsOf, inputsOf } from '#graph/index.js';
import { StagewatchError } from '#runtime/errors.js';
import type { MeasureJob } from './measurer.js';
import { budgetFor } from './memory-budget.js';
import type { EngineSettings } from './messages.js';

const formats = {
  MODEL_FORMAT_UNSPECIFIED: undefined,
  MODEL_FORMAT_ONNX: 'onnx',
  MODEL_FORMAT_TFJS_LAYERS: 'tfjs-layers',
} as const;

export interface CachedModel {
  readonly model: CompiledModel;
  /** Vectors that a search for eigenvalues may hold. */
  readonly maxBasis: number;
}

/** Compiled models by graph, probe set and loss: the snapshots of a run share one. The one that was used longest ago goes. */
export class ModelCache {
  private readonly models = new Map<string, CachedModel>();

  constructor(
    private readonly settings: EngineSettings,
    private readonly maxModels = 4,
  ) {}

  /** Throws a StagewatchError that says why the model cannot be measured. */
  async model(job: MeasureJob): Promise<CachedModel> {
    const key = JSON.stringify([
      job.model.graphDigest,
      job.model.train?.digest,
      job.model.parameters,
      job.model.aliases,
      job.model.unused,
      job.loss,
    ]);
    const known = this.models.get(key);
    const model = known ?? (await this.compile(job));
    this.models.delete(key);
    this.models.set(key, model);
    const [oldest] = this.models;
    if (this.models.size > this.maxModels && oldest !== undefined) {
      this.models.delete(oldest[0]);
      await oldest[1].model.close();
    }
    return model;
  }

  async close(): Promise<void> {
    const models = [...this.models.values()];
    // Whoever comes meanwhile compiles anew.
    this.models.clear();
    for (const { model } of models) await model.close();
  }

  private async compile({ model, loss, artifact }: MeasureJob): Promise<CachedModel> {
    const format = formats[model.format];
    if (format === undefined) throw new StagewatchError('UNSUPPORTED_MODEL', 'The format of the model graph is not known.');
    if (loss === undefined) throw new StagewatchError('UNSUPPORTED_MODEL', 'The job did not say which loss it steps.');
    if (model.train === null) throw new StagewatchError('PROBE_SET_MISMATCH', 'The job gave no probe set.');
    const graphBytes = await artifact(model.graphDigest).read();
    const graph = loadModel({
      format,
      bytes: graphBytes,
      parameters: model.parameters,
      loss,
      aliases: model.aliases,
      unused: model.unused,
    });
    const names = inputsOf(graph, 'data').map(({ name }) => name);
    const probeSetBytes = await artifact(model.train.digest).read();
    const parameters = inputsOf(graph, 'parameter').reduce((sum, { shape }) => sum + elementsOf(shape, 1), 0);
    const size = { parameters, graphBytes: graphBytes.byteLength, probeSetBytes: probeSetBytes.byteLength };
    const { maxBasis, modelBytes } = budgetFor(size, this.settings.memoryBytes);
    const probeSet = readProbeSet(probeSetBytes, names);
    const settings = { executor: 'ort-cpu', ...this.settings, memoryBytes: modelBytes };
    return { model: await openProbeModel({ graph, probeSet, loss, ...settings }), maxBasis };
  }
}
