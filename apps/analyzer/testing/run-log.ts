import { crc32 } from '#wire/checksum.js';
import type { Blobs } from '#blobs/blobs.js';
import type { Bus, OutgoingMessage } from '#bus/bus.js';
import { encodeEnvelope } from '#wire/envelope.js';

type EnvelopeInput = Parameters<typeof encodeEnvelope>[0];
type RecordInput = NonNullable<EnvelopeInput['record']>;

/** Builds the log of one run, as the collector would publish it. */
export class RunLog {
  readonly messages: OutgoingMessage[] = [];
  private readonly sequences = new Map<string, number>();
  private readonly announced = new Map<string, number>();
  constructor(
    readonly run: string,
    private readonly blobs: Blobs,
    /** Each message comes 10 ms after the one before. */
    private timeMs = Date.now(),
  ) {}

  attach(options: { attempt?: number; rank?: number; firstStep?: number; learningRate?: number; name?: string } = {}): this {
    const { attempt = 1, rank = 0, firstStep = 0, learningRate = 0.4, name = 'a run' } = options;
    return this.put(`attach.${attempt}.${rank}`, attempt, rank, {
      attached: {
        instanceId: `i${attempt}${rank}`,
        name,
        project: 'test',
        framework: 'none',
        optimizer: { name: 'sgd', learningRate },
        loss: { kind: 'LOSS_KIND_MEAN_SQUARED_ERROR', reduction: 'LOSS_REDUCTION_SUM_OUTPUTS', halved: true },
        firstStep,
        rank,
        tags: { a: 'b' },
      },
    });
  }

  model(attempt = 1, digest = 'ab'.repeat(32)): this {
    return this.put(`model.${attempt}.${digest}`, attempt, 0, {
      model: {
        format: 'MODEL_FORMAT_ONNX',
        graphDigest: digest,
        parameters: ['w'],
        train: { digest: 'cd'.repeat(32), examples: 3, classNames: ['secret'] },
      },
    });
  }

  scalars(points: readonly (readonly [step: number, name: string, value: number])[], attempt = 1, rank = 0): this {
    const names = [...new Set(points.map(([, name]) => name))];
    return this.record(Math.max(...points.map(([step]) => step)), attempt, rank, {
      scalars: {
        names,
        nameIndex: points.map(([, name]) => names.indexOf(name)),
        steps: points.map(([step]) => step),
        values: points.map(([, , value]) => value),
      },
    });
  }

  /** The fake measurer reads sharpness and loss out of it. */
  async snapshot(
    step: number,
    sharpness: number,
    loss: number,
    learningRate = 0.4,
    attempt = 1,
    said: { readonly reason?: string; readonly tensorBytes?: number; readonly recordStep?: number } = {},
  ): Promise<this> {
    const { reason = 'cadence', tensorBytes = 8, recordStep = step } = said;
    const bytes = Buffer.alloc(8);
    bytes.writeFloatLE(sharpness, 0);
    bytes.writeFloatLE(loss, 4);
    const blob = `runs/${this.run}/snapshots/${attempt}-${step}`;
    const upload = await this.blobs.upload(blob, bytes.length);
    await upload.write(0, bytes);
    await upload.commit(crc32(bytes));
    await upload.close();
    const taken = this.announced.get(`${attempt}.${step}`) ?? 0;
    return this.record(recordStep, attempt, 0, {
      snapshot: {
        ...(taken > 0 && { taken, step }),
        blob,
        tensors: [{ name: 'w', dtype: 'float32', shape: [2], offset: 0, bytes: tensorBytes }],
        learningRate,
        reason,
      },
    });
  }

  /** A snapshot of this step comes later. */
  announce(step: number, learningRate = 0.4, attempt = 1): this {
    this.record(step, attempt, 0, { taken: { learningRate, reason: 'cadence' } });
    this.announced.set(`${attempt}.${step}`, this.sequences.get(`${attempt}.0`)!);
    return this;
  }

  /** Snapshots that were announced will not come. */
  withdraw(recordStep: number, steps: readonly number[], attempt = 1): this {
    const taken = steps.map((step) => this.announced.get(`${attempt}.${step}`)!);
    return this.record(recordStep, attempt, 0, { gap: { snapshots: steps.length, reason: 'end', taken } });
  }

  gap(step: number, points: number): this {
    return this.record(step, 1, 0, { gap: { points, reason: 'spool', firstStep: step, lastStep: step } });
  }

  heartbeat(step: number, attempt = 1): this {
    return this.record(step, attempt, 0, { heartbeat: {} });
  }

  end(step: number, attempt = 1): this {
    return this.record(step, attempt, 0, { end: { status: 'finished' } });
  }

  presence(state: 'PRESENCE_STATE_LOST' | 'PRESENCE_STATE_RETURNED', step: number, attempt = 1): this {
    return this.put(`${state}.${step}`, attempt, 0, { presence: { state, silentMs: 60_000, step } });
  }

  record(step: number, attempt: number, rank: number, body: Omit<RecordInput, 'sequence' | 'step'>): this {
    const sequence = (this.sequences.get(`${attempt}.${rank}`) ?? 0) + 1;
    this.sequences.set(`${attempt}.${rank}`, sequence);
    return this.put(`${attempt}.${rank}.${sequence}`, attempt, rank, { record: { ...body, sequence, step } });
  }

  private put(id: string, attempt: number, rank: number, body: EnvelopeInput): this {
    this.timeMs += 10;
    const envelope = { runId: this.run, attempt, rank, receivedTimeMs: this.timeMs, ...body };
    this.messages.push({ subject: this.run, id, body: encodeEnvelope(envelope) });
    return this;
  }

  async publish(bus: Bus): Promise<void> {
    await bus.publish('records', this.messages);
  }
}
