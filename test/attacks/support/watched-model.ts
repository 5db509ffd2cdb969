import { attach, Talk, upload, type Attached } from '#collector/testing/talk.js';
import { exportOnnx, mlp } from '#graph/index.js';
import { createRandom } from '#math/random.js';
import { sha256 } from '#wire/checksum.js';
import type { IngestClient } from '#wire/client.js';
import { writeNpz } from '#wire/npz.js';
import { packTensors } from '#wire/tensors.js';

/** A network with its examples, as a job describes it; with enough of them one measurement takes minutes. */
export interface WatchedModel {
  readonly graph: Buffer;
  readonly probe: Buffer;
  readonly examples: number;
  readonly parameters: readonly string[];
  readonly snapshot: ReturnType<typeof packTensors>;
}

export function watchedModel(sizes: readonly [number, ...number[]], examples: number): WatchedModel {
  const random = createRandom(3);
  const fill = (count: number, scale: number): Float32Array =>
    Float32Array.from({ length: count }, () => scale * random.normal());
  const tensors = sizes.slice(1).flatMap((to, i) => {
    const from = sizes[i]!;
    return [
      { name: `layer${i + 1}.weight`, shape: [from, to], data: fill(from * to, 1 / Math.sqrt(from)) },
      { name: `layer${i + 1}.bias`, shape: [to], data: fill(to, 0.1) },
    ];
  });
  return {
    graph: Buffer.from(exportOnnx(mlp({ sizes: [...sizes], activation: 'tanh' }))),
    probe: writeNpz({
      x: { shape: [examples, sizes[0]], data: fill(examples * sizes[0], 1) },
      y: { shape: [examples, sizes.at(-1)!], data: fill(examples * sizes.at(-1)!, 1) },
    }),
    examples,
    parameters: tensors.map(({ name }) => name),
    snapshot: packTensors(tensors),
  };
}

/** A job that sends what it is told to, over the wire. */
export class WireJob {
  private sequence = 0;
  private readonly talk: Talk;

  private constructor(
    private readonly client: IngestClient,
    readonly run: Attached,
  ) {
    this.talk = new Talk(client, run);
  }

  static async attach(client: IngestClient, model?: WatchedModel): Promise<WireJob> {
    const run = await attach(client, {
      optimizer: { name: 'sgd', learningRate: 0.1 },
      loss: { kind: 'LOSS_KIND_MEAN_SQUARED_ERROR', reduction: 'LOSS_REDUCTION_MEAN_OUTPUTS', halved: true },
    });
    const job = new WireJob(client, run);
    if (model !== undefined) await job.describe(model);
    return job;
  }

  get id(): string {
    return this.run.runId;
  }

  async snapshot(model: WatchedModel, step: number): Promise<void> {
    const { blob: data, layout } = model.snapshot;
    const answers = await upload(this.client, { run: this.run, key: `s${step}`, data: Buffer.from(data) });
    const { blob } = answers.at(-1)!;
    await this.send(step, { snapshot: { blob, tensors: layout, learningRate: 0.1, reason: 'cadence' } });
  }

  async loss(step: number, value: number): Promise<void> {
    await this.send(step, { scalars: { names: ['loss.train'], nameIndex: [0], steps: [step], values: [value] } });
  }

  async heartbeat(step: number): Promise<void> {
    await this.send(step, { heartbeat: {} });
  }

  async end(step: number): Promise<void> {
    await this.send(step, { end: { status: 'finished' } });
  }

  private async send(step: number, body: object): Promise<void> {
    this.sequence++;
    await this.talk.send({ sequence: this.sequence, step, ...body }).untilAcknowledged(this.sequence);
  }

  private async describe({ graph, probe, examples, parameters }: WatchedModel): Promise<void> {
    const { runId, attempt, instanceId } = this.run;
    const files = new Map([graph, probe].map((data) => [sha256(data), data]));
    const model = {
      format: 'MODEL_FORMAT_ONNX' as const,
      graphDigest: sha256(graph),
      parameters: [...parameters],
      train: { digest: sha256(probe), examples },
    };
    const { missingDigests } = await this.client.describeModel({ runId, attempt, instanceId, model }, 60_000);
    for (const key of missingDigests) {
      await upload(this.client, { run: this.run, kind: 'BLOB_KIND_ARTIFACT', key, data: files.get(key)!, chunkBytes: 1 << 20 });
    }
    if (missingDigests.length > 0) await this.client.describeModel({ runId, attempt, instanceId, model }, 60_000);
  }
}
