import { parentPort, workerData } from 'node:worker_threads';
import type { SenderOptions, ToSender } from './messages.js';
import { messageKib, slots } from './sender-host.js';
import { Sender } from './sender.js';

/** The sender's own thread; started by `sender-host`. */
const { options, shared } = workerData as { readonly options: SenderOptions; readonly shared: Int32Array };
const port = parentPort!;
const sender = new Sender(options, (message) => {
  port.postMessage(message);
  if (message.kind !== 'ended') return;
  Atomics.store(shared, slots.ended, 1);
  Atomics.notify(shared, slots.ended);
});
port.on('message', (message: ToSender) => {
  Atomics.sub(shared, slots.pendingKib, messageKib(message));
  sender.take(message);
});
sender.start();
