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

/** Sends records as fast as acknowledgements allow; answers when all are acknowledged. */
export function sendRecords(
  run: BenchRun,
  records: Iterable<Uint8Array>,
  last: number,
  onAcknowledged?: (sequence: number) => void,
): Promise<void> {
  const windowRecords = 64;
  const stream = run.client.streamRecords();
  const source = records[Symbol.iterator]();
  let onTheWay = 0;
  let acknowledged = 0;
  return new Promise((resolve, reject) => {
    const pump = (): void => {
      while (onTheWay < windowRecords) {
        const next = source.next();
        if (next.done === true) return;
        onTheWay++;
        if (!stream.write({ serialized: [next.value] })) return void stream.once('drain', pump);
      }
    };
    stream.on('error', reject);
    stream.on('data', (message) => {
      if (message.welcome !== undefined) pump();
      if (message.acknowledgement === undefined) return;
      const { sequence } = message.acknowledgement;
      onTheWay -= sequence - acknowledged;
      acknowledged = sequence;
      onAcknowledged?.(sequence);
      if (sequence < last) return pump();
      stream.end();
      resolve();
    });
    stream.write({ hello: { runId: run.attached.runId, attempt: run.attached.attempt, rank: 0, instanceId: run.instance } });
  });
}
