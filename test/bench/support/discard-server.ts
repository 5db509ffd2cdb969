/**
 * The ceilings for `test/bench/tensors.ts`: a bare TCP server, and a bare grpc-js server of the same contract with the
 * same wide windows, that take bytes and keep none. Prints their ports as JSON.
 */
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import type { UploadBlobRequest } from '#wire/generated/messages.js';
import { withWideWindows } from '#wire/http2-window.js';
import { ingestService } from '#wire/service.js';

const grpc = new Server({ 'grpc.max_receive_message_length': 64 * 1024 * 1024 });
type Done = (error: null, answer: object) => void;
grpc.addService(ingestService(), {
  AttachRun: (_call: unknown, done: Done) => done(null, { runId: 'bench', attempt: 1, nextSequence: 1 }),
  DescribeModel: (_call: unknown, done: Done) => done(null, {}),
  UploadBlob: (call: ServerDuplexStream<UploadBlobRequest, object>) => {
    call.on('data', ({ header, end }: UploadBlobRequest) => {
      if (header !== undefined) call.write({ durableBytes: 0 });
      if (end !== undefined) call.write({ blob: 'bench' });
    });
    call.on('error', () => undefined);
    call.on('end', () => call.end());
  },
  StreamRecords: (call: ServerDuplexStream<object, object>) => call.end(),
});
const grpcPort = await withWideWindows(
  () =>
    new Promise<number>((resolve, reject) => {
      grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    }),
);

const tcp = createServer((socket) => {
  socket.on('error', () => undefined);
  // It ends its own side when the other has ended: that is the answer.
  socket.resume();
});
tcp.listen(0, '127.0.0.1');
await once(tcp, 'listening');
console.log(JSON.stringify({ grpc: grpcPort, tcp: (tcp.address() as AddressInfo).port }));
