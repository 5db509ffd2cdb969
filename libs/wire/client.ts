import {
  credentials,
  makeGenericClientConstructor,
  Metadata,
  type CallOptions,
  type Client,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Input } from './codec.js';
import type {
  AttachRunRequest,
  AttachRunResponse,
  DescribeModelRequest,
  DescribeModelResponse,
  StreamRecordsResponse,
  UploadBlobRequest,
  UploadBlobResponse,
} from './generated/messages.js';
import { windowBytes } from './http2-window.js';
import { ingestService, serviceName, type RecordsRequest } from './service.js';

/** The service as a probe sees it. */
export interface IngestClient {
  attachRun(request: Input<AttachRunRequest>, deadlineMs: number): Promise<AttachRunResponse>;
  describeModel(request: Input<DescribeModelRequest>, deadlineMs: number): Promise<DescribeModelResponse>;
  uploadBlob(): ClientDuplexStream<Input<UploadBlobRequest>, UploadBlobResponse>;
  streamRecords(): ClientDuplexStream<RecordsRequest, StreamRecordsResponse>;
  close(): void;
}

export interface IngestClientOptions {
  /** `host:port`. */
  readonly address: string;
  readonly token?: string | undefined;
  /** Seconds between tries to connect grow up to this; the caller's own back-off should not be longer. */
  readonly maxReconnectMs?: number;
}

type Unary = (
  request: object,
  metadata: Metadata,
  options: CallOptions,
  done: (error: ServiceError | null, value: object) => void,
) => void;
type Duplex = (metadata: Metadata) => ClientDuplexStream<object, object>;

let definition: ReturnType<typeof ingestService> | undefined;

export function createIngestClient(options: IngestClientOptions): IngestClient {
  definition ??= ingestService();
  const Constructor = makeGenericClientConstructor(definition, serviceName);
  const client = new Constructor(options.address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': 8 * 1024 * 1024,
    'grpc.max_send_message_length': -1,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': options.maxReconnectMs ?? 2000,
    'grpc-node.flow_control_window': windowBytes,
    // Each client its own connection: a broken one must not be shared with the next try.
    'grpc.use_local_subchannel_pool': 1,
  });
  const metadata = new Metadata();
  if (options.token !== undefined) metadata.set('authorization', `Bearer ${options.token}`);
  const methods = client as Client & { [name: string]: unknown };
  const unary =
    <Q extends object, A>(name: string) =>
    (request: Q, deadlineMs: number): Promise<A> =>
      new Promise((resolve, reject) => {
        (methods[name] as Unary).call(client, request, metadata, { deadline: Date.now() + deadlineMs }, (error, value) =>
          error === null ? resolve(value as A) : reject(error),
        );
      });
  return {
    attachRun: unary('AttachRun'),
    describeModel: unary('DescribeModel'),
    uploadBlob: () => (methods['UploadBlob'] as Duplex).call(client, metadata) as ReturnType<IngestClient['uploadBlob']>,
    streamRecords: () => (methods['StreamRecords'] as Duplex).call(client, metadata) as ReturnType<IngestClient['streamRecords']>,
    close: () => client.close(),
  };
}
