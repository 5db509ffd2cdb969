import type { ClientDuplexStream } from '@grpc/grpc-js';
import { crc32 } from '#wire/checksum.js';
import type { IngestClient } from '#wire/client.js';
import { codec, type Input } from '#wire/codec.js';
import type {
  AttachRunRequest,
  AttachRunResponse,
  BlobKind,
  Record as WireRecord,
  StreamRecordsResponse,
  UploadBlobResponse,
} from '#wire/generated/messages.js';
import type { RecordsRequest } from '#wire/service.js';
import { readRefusal, type Refusal } from '#wire/status.js';

const deadlineMs = 10_000;
let instances = 0;

export interface Attached extends AttachRunResponse {
  readonly instanceId: string;
  readonly rank: number;
}

export async function attach(client: IngestClient, request: Input<AttachRunRequest> = {}): Promise<Attached> {
  const instanceId = request.instanceId ?? `instance-${instances++}-${process.pid}`;
  const response = await client.attachRun({ name: 'test', instanceId, ...request }, deadlineMs);
  return { ...response, instanceId, rank: request.rank ?? 0 };
}

/** What a call was refused with; throws when it was not. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    return readRefusal(error);
  }
  throw new Error('the call was not refused');
}

/** A records stream that remembers what came down. */
export class Talk {
  readonly answers: StreamRecordsResponse[] = [];
  readonly ended: Promise<Refusal | undefined>;
  private readonly stream: ClientDuplexStream<RecordsRequest, StreamRecordsResponse>;
  private changed = (): void => undefined;

  constructor(client: IngestClient, hello?: Attached | { runId: string; attempt: number; rank: number; instanceId: string }) {
    this.stream = client.streamRecords();
    this.stream.on('data', (answer: StreamRecordsResponse) => {
      this.answers.push(answer);
      this.changed();
    });
    this.ended = new Promise((resolve) => {
      this.stream.on('error', (error) => resolve(readRefusal(error)));
      this.stream.on('end', () => setImmediate(() => resolve(undefined)));
    });
    if (hello !== undefined) {
      const { runId, attempt, rank, instanceId } = hello;
      this.stream.write({ hello: { runId, attempt, rank, instanceId } });
    }
  }

  send(...records: Input<WireRecord>[]): this {
    const { encode } = codec('Record');
    this.stream.write({ serialized: records.map((record) => encode(record)) });
    return this;
  }

  /** Sends bytes as they are. */
  raw(serialized: readonly Uint8Array[]): this {
    this.stream.write({ serialized });
    return this;
  }

  async until(done: (answers: readonly StreamRecordsResponse[]) => boolean): Promise<this> {
    while (!done(this.answers)) {
      const changed = new Promise<void>((resolve) => (this.changed = resolve));
      const over = await Promise.race([changed, this.ended.then((refusal) => ({ refusal }))]);
      if (over !== undefined && !done(this.answers)) throw new Error(`the stream ended: ${JSON.stringify(over.refusal)}`);
    }
    return this;
  }

  acknowledged(): number {
    return Math.max(0, ...this.answers.map((answer) => answer.acknowledgement?.sequence ?? 0));
  }

  untilAcknowledged(sequence: number): Promise<this> {
    return this.until(() => this.acknowledged() >= sequence);
  }

  end(): Promise<Refusal | undefined> {
    this.stream.end();
    return this.ended;
  }

  cancel(): void {
    this.stream.cancel();
  }
}

export interface UploadPlan {
  readonly run: Attached;
  readonly kind?: BlobKind;
  readonly key: string;
  readonly data: Buffer;
  readonly chunkBytes?: number;
  /** Cancels once so much is durable, as a probe that dies in the middle. */
  readonly breakAt?: number;
  readonly corrupt?: 'chunk' | 'end' | 'offset';
}

/** Uploads as a probe does; answers what came back. */
export function upload(client: IngestClient, plan: UploadPlan): Promise<UploadBlobResponse[]> {
  const { run, key, data, chunkBytes = 64 * 1024 } = plan;
  const call = client.uploadBlob();
  const answers: UploadBlobResponse[] = [];
  const sendFrom = (start: number): void => {
    const last = plan.breakAt ?? data.length;
    for (let offset = start; offset < last; offset += chunkBytes) {
      const chunk = data.subarray(offset, Math.min(last, offset + chunkBytes));
      const wrong = plan.corrupt === 'chunk' ? 1 : 0;
      call.write({
        chunk: { offset: offset + (plan.corrupt === 'offset' ? 1 : 0), crc32: (crc32(chunk) ^ wrong) >>> 0, data: chunk },
      });
    }
    if (plan.breakAt === undefined) call.write({ end: { crc32: (crc32(data) ^ (plan.corrupt === 'end' ? 1 : 0)) >>> 0 } });
    else setTimeout(() => call.cancel(), 200);
  };
  return new Promise((resolve, reject) => {
    call.on('data', (answer: UploadBlobResponse) => {
      answers.push(answer);
      if (answers.length === 1 && answer.blob === '') sendFrom(answer.durableBytes);
      if (answer.blob !== '') call.end();
    });
    call.on('error', reject);
    call.on('end', () => resolve(answers));
    call.write({
      header: {
        runId: run.runId,
        attempt: run.attempt,
        instanceId: run.instanceId,
        kind: plan.kind ?? 'BLOB_KIND_SNAPSHOT',
        key,
        totalBytes: data.length,
      },
    });
  });
}
