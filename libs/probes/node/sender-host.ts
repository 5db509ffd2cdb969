import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { FromSender, SenderOptions, ToSender } from './messages.js';
import { Sender } from './sender.js';

/** Where the sender lives. */
export interface SenderHost {
  post(message: ToSender, transfer?: readonly ArrayBuffer[]): void;
  /** Bytes that were posted and not yet taken over. */
  pendingBytes(): number;
  /** Keeps the process alive until the sender has ended. */
  hold(): void;
  /** For a process that is about to be gone: waits, without the event loop, until the sender has ended or the time is up. */
  waitForEnd(ms: number): void;
  close(): Promise<void>;
}

/** Slots of the memory that both sides share. */
export const slots = { pendingKib: 0, ended: 1, count: 2 } as const;

export const messageKib = (message: ToSender): number =>
  message.kind === 'snapshot' ? Math.ceil(message.blob.byteLength / 1024) : 1;

/**
 * Starts the sender in a thread of its own, so that it works while training computes without a pause. Where only the
 * sources are there (tests), it runs beside its owner.
 */
export function startSender(options: SenderOptions, hear: (message: FromSender) => void): SenderHost {
  const file = new URL('./sender-worker.js', import.meta.url);
  return existsSync(fileURLToPath(file)) ? inWorker(file, options, hear) : beside(options, hear);
}

function beside(options: SenderOptions, hear: (message: FromSender) => void): SenderHost {
  const sender = new Sender(options, hear);
  sender.start();
  return {
    post: (message) => sender.take(message),
    pendingBytes: () => 0,
    hold: () => undefined,
    waitForEnd: () => undefined,
    close: () => Promise.resolve(),
  };
}

function inWorker(file: URL, options: SenderOptions, hear: (message: FromSender) => void): SenderHost {
  const shared = new Int32Array(new SharedArrayBuffer(slots.count * Int32Array.BYTES_PER_ELEMENT));
  // Arguments such as --inspect or a loader of the training script are not for this thread.
  const worker = new Worker(file, { workerData: { options, shared }, execArgv: [], stdout: false, stderr: false });
  worker.unref();
  worker.on('message', (message: FromSender) => {
    if (message.kind === 'ended') worker.unref();
    hear(message);
  });
  worker.on('error', (error) => hear({ kind: 'off', reason: `the sender failed: ${error.message}` }));
  return {
    post: (message, transfer = []) => {
      Atomics.add(shared, slots.pendingKib, messageKib(message));
      worker.postMessage(message, transfer);
    },
    pendingBytes: () => Atomics.load(shared, slots.pendingKib) * 1024,
    hold: () => worker.ref(),
    waitForEnd: (ms) => {
      Atomics.wait(shared, slots.ended, 0, ms);
    },
    close: async () => {
      await worker.terminate();
    },
  };
}
