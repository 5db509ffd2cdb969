/**
 * The ceiling for `test/bench/scalars.ts`: a bare grpc-js server of the same contract that acknowledges every batch
 * and stores nothing. Prints its port.
 */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { ingestService } from '#wire/service.js';
import type { RecordsMessage } from '#wire/record-stream.js';

const server = new Server({ 'grpc.max_receive_message_length': 16 * 1024 * 1024 });
server.addService(ingestService(), {
  AttachRun: (_call: unknown, done: (error: null, answer: object) => void) =>
    done(null, { runId: 'bench', attempt: 1, nextSequence: 1 }),
  DescribeModel: (_call: unknown, done: (error: null, answer: object) => void) => done(null, {}),
  UploadBlob: (call: ServerDuplexStream<object, object>) => call.end(),
  StreamRecords: (call: ServerDuplexStream<RecordsMessage, object>) => {
    call.on('data', (message: RecordsMessage) => {
      if (message.kind === 'hello') call.write({ welcome: { nextSequence: 1, creditBytes: 1 << 24 } });
      if (message.kind === 'batch')
        call.write({ acknowledgement: { sequence: message.records.at(-1)!.record.sequence, creditBytes: 1 << 24 } });
    });
    call.on('end', () => call.end());
  },
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(port);
});
