import { loadModel, openProbeModel, readProbeSet, type CompiledModel } from '#engine/index.js';
import { inputsOf } from '#graph/index.js';
import { StagewatchError } from '#runtime/errors.js';
import type { MeasureJob } from './measurer.js';
import type { EngineSettings } from './messages.js';

const formats = {
  MODEL_FORMAT_UNSPECIFIED: undefined,
  MODEL_FORMAT_ONNX: 'onnx',
  MODEL_FORMAT_TFJS_LAYERS: 'tfjs-layers',
} as const;

/** Compiled models by graph, probe set and loss: the snapshots of a run share one. The one that was used longest ago goes. */
export class ModelCache {
  private readonly models = new Map<string, CompiledModel>();

  constructor(
    private readonly settings: EngineSettings,
    private readonly maxModels = 4,
  ) {}

  /** Throws a StagewatchError that says why the model cannot be measured. */
  async model(job: MeasureJob): Promise<CompiledModel> {
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
      await oldest[1].close();
    }
    return model;
  }

  async close(): Promise<void> {
    for (const model of this.models.values()) await model.close();
    this.models.clear();
  }

  private async compile({ model, loss, artifact }: MeasureJob): Promise<CompiledModel> {
    const format = formats[model.format];
    if (format === undefined) throw new StagewatchError('UNSUPPORTED_MODEL', 'The format of the model graph is not known.');
    if (loss === undefined) throw new StagewatchError('UNSUPPORTED_MODEL', 'The job did not say which loss it steps.');
    if (model.train === null) throw new StagewatchError('PROBE_SET_MISMATCH', 'The job gave no probe set.');
    const graph = loadModel({
      format,
      bytes: await artifact(model.graphDigest).read(),
      parameters: model.parameters,
      loss,
      aliases: model.aliases,
      unused: model.unused,
    });
    const names = inputsOf(graph, 'data').map(({ name }) => name);
    const probeSet = readProbeSet(await artifact(model.train.digest).read(), names);
    return openProbeModel({ graph, probeSet, loss, executor: 'ort-cpu', ...this.settings });
  }
}
