import { parentPort, workerData } from 'node:worker_threads';
import { SnapshotMeter } from './snapshot-meter.js';
import type { FromWorker, ToWorker, WorkerSettings } from './messages.js';

/** The worker's side of `worker-measurer.ts`: one meter, fed by messages. */
const port = parentPort;
if (port === null) throw new Error('measure-worker runs in a worker thread');

const meter = new SnapshotMeter(workerData as WorkerSettings);
const asked = new Map<number, { readonly resolve: (bytes: Buffer) => void; readonly reject: (error: Error) => void }>();
let requests = 0;

port.on('message', (message: ToWorker) => {
  // Whoever hears a message is not inside a native library.
  if (message.kind === 'close') process.exit(0);
  if (message.kind === 'measure') {
    void measure(message);
    return;
  }
  const waiting = asked.get(message.request);
  asked.delete(message.request);
  if (message.bytes === undefined) waiting?.reject(new Error(message.error));
  else waiting?.resolve(Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.byteLength));
});

async function measure({ id, job }: ToWorker & { kind: 'measure' }): Promise<void> {
  const artifact = (digest: string): Promise<Buffer> => {
    const request = ++requests;
    return new Promise((resolve, reject) => {
      asked.set(request, { resolve, reject });
      send({ kind: 'artifact', id, request, digest });
    });
  };
  try {
    const result = await meter.measure({ ...job, snapshot: () => Promise.resolve(job.snapshot), artifact });
    send({ kind: 'measured', id, result });
  } catch (error) {
    send({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) });
  }
}

function send(message: FromWorker): void {
  // A thread has no origin.
  port!.postMessage(message, []);
}
