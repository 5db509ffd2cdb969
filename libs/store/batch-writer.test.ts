import { describe, expect, test, vi } from 'vitest';
import { StagewatchError } from '#runtime/errors.js';
import { Metrics } from '#runtime/metrics.js';
import { BatchWriter, defaultBatchLimits, type Batch, type BatchLimits, type InsertOutcome } from './batch-writer.js';
import type { ScalarRow } from './rows.js';

const success: InsertOutcome = { kind: 'success', value: undefined };
const row = (sequence: number, name = 'loss.train'): ScalarRow => ({
  run: 'r1',
  attempt: 1,
  rank: 0,
  sequence,
  index: 0,
  step: sequence,
  name,
  value: 1,
  timeMs: 0,
});
const rows = (count: number): ScalarRow[] => Array.from({ length: count }, (_, i) => row(i));

/** A writer over a database that answers as told; `batches` is what it was given. */
function setUp(
  answer: (batch: Batch, place: number) => InsertOutcome | Promise<InsertOutcome>,
  limits: Partial<BatchLimits> = {},
) {
  const batches: Batch[] = [];
  const insert = async (batch: Batch): Promise<InsertOutcome> => answer(batch, batches.push(batch) - 1);
  const metrics = new Metrics();
  const writer = new BatchWriter(insert, { limits: { ...defaultBatchLimits, maxAgeMs: 20, ...limits }, metrics });
  return { writer, batches, metrics };
}

describe('batch writer', () => {
  test('rows of many callers travel together', async () => {
    const { writer, batches } = setUp(() => success);
    await Promise.all(Array.from({ length: 50 }, (_, i) => writer.write('scalars', [row(i)])));
    expect(batches.map((batch) => batch.rows)).toEqual([50]);
    expect(batches[0]?.body.split('\n')).toHaveLength(50);
  });

  test('a batch ends at its rows and at its bytes', async () => {
    const byRows = setUp(() => success, { maxRows: 10 });
    await Promise.all([byRows.writer.write('scalars', rows(25)), byRows.writer.write('scalars', rows(4))]);
    expect(byRows.batches.map((batch) => batch.rows)).toEqual([10, 10, 9]);
    const byBytes = setUp(() => success, { maxBytes: 300 });
    await Promise.all(rows(10).map((r) => byBytes.writer.write('scalars', [r])));
    expect(byBytes.batches.length).toBeGreaterThan(1);
    for (const batch of byBytes.batches) expect(batch.body.length).toBeLessThan(310);
  });

  test('while one insert is under way the next rows gather', async () => {
    let release: (() => void) | undefined;
    const { writer, batches } = setUp((_, place) =>
      place > 0 ? success : new Promise((resolve) => (release = () => resolve(success))),
    );
    const first = writer.write('scalars', [row(0)]);
    await vi.waitFor(() => expect(release).toBeDefined());
    const others = Array.from({ length: 20 }, (_, i) => writer.write('scalars', [row(i + 1)]));
    release?.();
    await Promise.all([first, ...others]);
    expect(batches.map((batch) => batch.rows)).toEqual([1, 20]);
  });

  test('weather is tried again with the same token and the same rows', async () => {
    const { writer, batches, metrics } = setUp((_, place) =>
      place < 2 ? { kind: 'retryable', error: new Error('busy'), afterMs: 1 } : success,
    );
    await writer.write('scalars', [row(1)]);
    await writer.write('scalars', [row(2)]);
    const tokens = batches.map((batch) => batch.token);
    expect(tokens[0]).toBe(tokens[2]);
    expect(batches[0]?.body).toBe(batches[2]?.body);
    expect(tokens[3]).not.toBe(tokens[0]);
    expect((await metrics.insertRetries.get()).values[0]?.value).toBe(2);
  });

  test('a refused row fails its own caller and no other', async () => {
    const error = new StagewatchError('INVALID_ARGUMENT', 'no such thing');
    const { writer } = setUp((batch) => (batch.body.includes('bad') ? { kind: 'refused', error } : success));
    const answers = await Promise.allSettled([
      writer.write('scalars', [row(1)]),
      writer.write('scalars', [row(2, 'bad')]),
      writer.write('scalars', [row(3)]),
    ]);
    expect(answers.map((answer) => answer.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await writer.write('scalars', [row(4)]);
  });

  test('a full disk reaches the caller at once, and the next try may succeed', async () => {
    const error = new StagewatchError('STORAGE_FULL', 'full');
    const { writer } = setUp((_, place) => (place === 0 ? { kind: 'failure', error } : success));
    await expect(writer.write('scalars', [row(1)])).rejects.toBe(error);
    await writer.write('scalars', [row(1)]);
  });

  test('writers wait while too much is queued', async () => {
    const { writer, batches } = setUp(() => success, { maxQueuedBytes: 1000, maxRows: 5 });
    await Promise.all(Array.from({ length: 100 }, (_, i) => writer.write('scalars', [row(i)])));
    expect(batches.reduce((sum, batch) => sum + batch.rows, 0)).toBe(100);
  });

  test('closing writes what waits, without its waiting time', async () => {
    const { writer, batches } = setUp(() => success, { maxAgeMs: 1_000_000 });
    await writer.write('scalars', [row(1)]);
    const waiting = writer.write('scalars', [row(2)]);
    await writer.close();
    await waiting;
    expect(batches).toHaveLength(2);
    await expect(writer.write('scalars', [row(3)])).rejects.toThrow(/closed/);
  });

  test('a bad row is refused before anything is queued', async () => {
    const { writer, batches } = setUp(() => success);
    await expect(writer.write('scalars', [row(1), row(-1)])).rejects.toThrow(/sequence|step/);
    await writer.close();
    expect(batches).toEqual([]);
  });
});
