import { createIngestClient, type IngestClient } from '#wire/client.js';
import type { AttachRunResponse } from '#wire/generated/messages.js';
import { codec } from '#wire/codec.js';

const names = ['loss.train', 'lr', 'gradient.norm', 'accuracy.train', 'loss.val'];

export interface BenchRun {
  readonly client: IngestClient;
  readonly attached: AttachRunResponse;
  readonly instance: string;
}

/** A run that only sends numbers. */
export async function attachBenchRun(address: string, name: string): Promise<BenchRun> {
  const client = createIngestClient({ address });
  const instance = `bench-${name}-${process.pid}-${Date.now()}`;
  const attached = await client.attachRun({ instanceId: instance, name, framework: 'bench' }, 10_000);
  return { client, attached, instance };
}

/** One serialized record of `points` numbers, five at a step. */
export function scalarRecord(sequence: number, firstStep: number, points: number): Uint8Array {
  const nameIndex = Array.from({ length: points }, (_, i) => i % names.length);
  const steps = nameIndex.map((_, i) => firstStep + Math.floor(i / names.length));
  const values = nameIndex.map((_, i) => Math.sin(sequence * 31 + i) + 2);
  const step = steps.at(-1)!;
  return codec('Record').encode({ sequence, step, clientTimeMs: Date.now(), scalars: { names, nameIndex, steps, values } });
}

/** What `sendRecords` sends next: a record, nothing yet, or nothing any more. */
export type NextRecord = Uint8Array | 'later' | 'end';

/** Sends records as fast as acknowledgements and their source allow; answers how many were acknowledged. */
export function sendRecords(run: BenchRun, next: () => NextRecord): Promise<number> {
  const windowRecords = 64;
  const laterMs = 2;
  const stream = run.client.streamRecords();
  let sent = 0;
  let acknowledged = 0;
  let ended = false;
  let waiting = false;
  return new Promise((resolve, reject) => {
    const again = (): void => {
      waiting = false;
      pump();
    };
    const pump = (): void => {
      while (!ended && !waiting && sent - acknowledged < windowRecords) {
        const record = next();
        if (record === 'end') ended = true;
        else if (record === 'later') {
          waiting = true;
          setTimeout(again, laterMs);
        } else {
          sent++;
          if (stream.write({ serialized: [record] })) continue;
          waiting = true;
          stream.once('drain', again);
        }
      }
      if (!ended || acknowledged < sent) return;
      stream.end();
      resolve(acknowledged);
    };
    stream.on('error', reject);
    stream.on('data', (message) => {
      acknowledged = message.acknowledgement?.sequence ?? acknowledged;
      pump();
    });
    stream.write({ hello: { runId: run.attached.runId, attempt: run.attached.attempt, rank: 0, instanceId: run.instance } });
  });
}
