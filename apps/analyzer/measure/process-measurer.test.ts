import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '#runtime/logging.js';
import { packageRoot } from '#runtime/package-root.js';
import { MeasurerCrashed, type MeasureJob } from './measurer.js';
import { WorkerMeasurer } from './worker-measurer.js';

/** Answers with the bytes of the artifact that it asked for; its step says how it behaves. */
const worker = `
import { parentPort } from 'node:worker_threads';
let measured = 0;
let deaf = false;
parentPort.on('message', (message) => {
  if (message.kind === 'close') return deaf || process.exit(0);
  if (message.kind === 'measure') {
    if (message.job.step === 13) process.exit(1);
    if (message.job.step === 14) throw new Error('bug');
    if (message.job.step === 15) return parentPort.postMessage({ kind: 'failed', id: message.id, message: 'no' });
    if (message.job.step === 16) return;
    if (message.job.step === 17) return void (deaf = true);
    parentPort.postMessage({ kind: 'artifact', id: message.id, request: message.id, digest: 'abc' });
  } else {
    const reason = message.bytes === undefined ? message.error : Buffer.from(message.bytes).toString();
    measured++;
    const result = { readings: [], instruments: { sharpness: { on: true, reason: reason + measured } } };
    parentPort.postMessage({ kind: 'measured', id: message.request, result });
  }
});`;

let folder: string;
let workerFile: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-worker-'));
  workerFile = join(folder, 'worker.mjs');
  writeFileSync(workerFile, worker);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function job(step: number, artifact: MeasureJob['artifact'] = () => Promise.resolve(Buffer.from('graph'))): MeasureJob {
  return { step, artifact, snapshot: () => Promise.resolve(new Uint8Array(4)) } as unknown as MeasureJob;
}

async function withMeasurer(test: (measurer: WorkerMeasurer) => Promise<void>): Promise<void> {
  const engine = { memoryBytes: 1, threads: 1 };
  const measurer = new WorkerMeasurer({ logger: createLogger({ level: 'silent' }), engine, workerFile, patienceMs: 100 });
  try {
    await test(measurer);
  } finally {
    await measurer.close();
  }
}

const reasonOf = async (result: ReturnType<WorkerMeasurer['measure']>): Promise<string> =>
  (await result).instruments['sharpness']!.reason;

describe('WorkerMeasurer', () => {
  it('hands artifacts to the worker that asks, and says when there is none', () =>
    withMeasurer(async (measurer) => {
      expect(await reasonOf(measurer.measure(job(1)))).toBe('graph1');
      expect(await reasonOf(measurer.measure(job(2, () => Promise.reject(new Error('gone')))))).toBe('gone2');
    }));

  it.each([13, 14])('reports a crash (%i), and goes on with a new worker', (step) =>
    withMeasurer(async (measurer) => {
      const results = await Promise.allSettled([measurer.measure(job(1)), measurer.measure(job(step)), measurer.measure(job(2))]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(results[1]).toMatchObject({ reason: expect.any(MeasurerCrashed) });
      // The new worker has measured once.
      expect(results[2]).toMatchObject({ value: { instruments: { sharpness: { reason: 'graph1' } } } });
    }),
  );

  it('passes on an error that is not a crash, and keeps its worker', () =>
    withMeasurer(async (measurer) => {
      await measurer.measure(job(1));
      await expect(measurer.measure(job(15))).rejects.toThrow(/^no$/);
      expect(await reasonOf(measurer.measure(job(1)))).toBe('graph2');
    }));

  it.each([
    [16, 'hears of it'],
    [17, 'does not'],
  ])('ends a measurement under way when it closes (%i): the worker %s', (step) =>
    withMeasurer(async (measurer) => {
      const under = measurer.measure(job(step)).catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await measurer.close();
      expect(await under).toBeInstanceOf(MeasurerCrashed);
      await expect(measurer.measure(job(1))).rejects.toBeInstanceOf(MeasurerCrashed);
    }),
  );

  it('closes at any moment of a real measurement without taking its process along', async () => {
    const script = join(packageRoot, 'dist/apps/analyzer/testing/close-while-measuring.js');
    await expect(promisify(execFile)(process.execPath, [script])).resolves.toMatchObject({ stderr: '' });
  });
});
