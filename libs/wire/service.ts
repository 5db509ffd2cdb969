import type { loadPackageDefinition, MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { codec, type MessageName } from './codec.js';
import type { StreamRecordsRequest } from './generated/messages.js';
import { protoDir, protoFiles } from './proto-root.js';
import { decodeRecordsMessage, encodeRecordsMessage } from './record-stream.js';

type PackageDefinition = Parameters<typeof loadPackageDefinition>[0];

export const packageName = 'stagewatch.v1';
export const serviceName = 'stagewatch.v1.IngestService';

/** A StreamRecordsRequest as a client may write it: plain, or around records that are serialized already. */
export type RecordsRequest = Pick<StreamRecordsRequest, 'hello'> | { readonly serialized: readonly Uint8Array[] };

type Method = readonly [request: MessageName, response: MessageName];
const methods: { readonly [name: string]: Method } = {
  AttachRun: ['AttachRunRequest', 'AttachRunResponse'],
  DescribeModel: ['DescribeModelRequest', 'DescribeModelResponse'],
  UploadBlob: ['UploadBlobRequest', 'UploadBlobResponse'],
  StreamRecords: ['StreamRecordsRequest', 'StreamRecordsResponse'],
};

/**
 * The package for a gRPC server, with the descriptors that reflection needs and our own codecs in place of
 * proto-loader's. A request of StreamRecords is decoded as a `RecordsMessage`.
 */
export function packageDefinition(): PackageDefinition {
  const loaded = loadSync([...protoFiles], { includeDirs: [protoDir()], keepCase: false }) as PackageDefinition;
  const service = loaded[serviceName] as { [name: string]: MethodDefinition<object, object> };
  const ours = Object.fromEntries(Object.entries(service).map(([name, method]) => [name, { ...method, ...serializers(name) }]));
  return { ...loaded, [serviceName]: ours };
}

/** The service by itself, for clients. */
export function ingestService(): ServiceDefinition {
  return packageDefinition()[serviceName] as ServiceDefinition;
}

function serializers(name: string): Partial<MethodDefinition<object, object>> {
  const [request, response] = methods[name]!;
  const [from, to] = [codec(request), codec(response)];
  return {
    requestSerialize: name === 'StreamRecords' ? serializeRecords : (message) => from.encode(message),
    requestDeserialize: name === 'StreamRecords' ? decodeRecordsMessage : (bytes) => from.decode(bytes),
    responseSerialize: (message) => to.encode(message),
    responseDeserialize: (bytes) => to.decode(bytes),
  };
}

function serializeRecords(message: object): Buffer {
  return 'serialized' in message
    ? encodeRecordsMessage(message.serialized as Uint8Array[])
    : codec('StreamRecordsRequest').encode(message);
}
