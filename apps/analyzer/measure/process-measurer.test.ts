import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { packageRoot } from '#runtime/package-root.js';
import { goldenModel, inMemory } from '../testing/golden-model.js';
import { Stopped } from '../weather.js';
import { MeasurerCrashed, type MeasureJob } from './measurer.js';
import { ProcessMeasurer, type ProcessMeasurerOptions } from './process-measurer.js';

/** Stands for the program of a measuring process: the step of its job says how it behaves. */
const program = `
import { readFileSync, writeFileSync } from 'node:fs';
import { dieWithParent } from '${join(packageRoot, 'dist/libs/runtime/processes/child-side.js')}';
import { ownConfinement } from '${join(packageRoot, 'dist/libs/runtime/processes/reach.js')}';
import { connect } from 'node:net';
dieWithParent();
const outcomeOf = (work) => { try { work(); return 'done'; } catch ({ code }) { return code; } };
const settings = JSON.parse(process.argv[2]);
const held = [];
let measured = 0;
process.on('message', ({ id, task, files }) => {
  if (task.step === 13) process.abort();
  if (task.step === 14) throw new Error('bug');
  if (task.step === 15) return process.send({ kind: 'failed', id, message: 'no' });
  if (task.step === 16) for (;;);
  if (task.step === 17) for (;;) held.push(Buffer.alloc(16 * 1024 ** 2, 1));
  if (task.step === 18) return setInterval(() => undefined, 1000);
  if (task.step === 19) return process.send({ kind: 'missing', id, path: files.snapshot });
  if (task.step === 20) {
    const answer = (tcp) => {
      const reason = JSON.stringify({ kind: ownConfinement().kind, foreign: outcomeOf(() => readFileSync('/etc/passwd')), tcp,
        own: outcomeOf(() => readFileSync(files.graph)), elsewhere: outcomeOf(() => writeFileSync(task.run, '')) });
      process.send({ kind: 'measured', id, tracker: false, result: { readings: [], instruments: { sharpness: { on: true, reason } } } });
    };
    connect(9, '127.0.0.1').on('error', ({ code }) => answer(code)).on('connect', () => answer('done'));
    return;
  }
  if (files.tracker) writeFileSync(files.trackerAfter, readFileSync(files.tracker).map((byte) => byte + 1));
  const reason = JSON.stringify({ measured: ++measured, executor: settings.executor, pid: process.pid,
    graph: readFileSync(files.graph, 'utf8'), environment: Object.keys(process.env) });
  const result = { readings: [], instruments: { sharpness: { on: true, reason } } };
  process.send({ kind: 'measured', id, result, tracker: files.tracker !== undefined });
});
if (settings.executor === 'dead') process.exit(7);
process.send({ kind: 'ready', executor: 'tfjs-cpu', residentBytes: process.memoryUsage.rss() });
`;

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-measurer-'));
  file = join(folder, 'program.mjs');
  writeFileSync(file, program);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let opened: ProcessMeasurer | undefined;
let metrics: Metrics;
const open = (options: Partial<ProcessMeasurerOptions> = {}): ProcessMeasurer => {
  metrics = new Metrics();
  opened = new ProcessMeasurer({
    logger: createLogger({ level: 'silent' }),
    metrics,
    engine: { memoryBytes: 128 * 1024 ** 2, threads: 1, executor: 'auto' },
    processes: 1,
    deadlineMs: 60_000,
    scratch: join(folder, 'scratch'),
    file,
    ...options,
  });
  return opened;
};
afterEach(() => opened?.close());

const never = new AbortController().signal;
function job(step: number, changes: Partial<MeasureJob> = {}): MeasureJob {
  const bytes = inMemory(Buffer.from('graph'));
  const model = { graphDigest: 'graph', train: null };
  return { step, model, artifact: () => bytes, snapshot: bytes, tracker: undefined, ...changes } as unknown as MeasureJob;
}
interface Said {
  readonly measured: number;
  readonly executor: string;
  readonly pid: number;
  readonly graph: string;
  readonly environment: readonly string[];
}
const said = async (measurer: ProcessMeasurer, step = 1): Promise<Said> =>
  JSON.parse((await measurer.measure(job(step), never)).instruments['sharpness']!.reason) as Said;
const counted = async (name: string): Promise<Record<string, number>> => {
  const metric = await metrics.registry.getSingleMetric(name)!.get();
  return Object.fromEntries(metric.values.map(({ labels, value }) => [String(labels['reason'] ?? ''), value]));
};
const processIsGone = (pid: number): boolean => !existsSync(`/proc/${pid}`);

describe('ProcessMeasurer', () => {
  it('measures in one process, which reads files and knows no secret, with the lowest priority', async () => {
    process.env['STAGEWATCH_TOKEN'] = 'a secret of the service';
    const measurer = open();
    const first = await said(measurer);
    const second = await said(measurer);
    delete process.env['STAGEWATCH_TOKEN'];
    expect(first).toMatchObject({ measured: 1, graph: 'graph' });
    expect(second).toMatchObject({ measured: 2, pid: first.pid });
    expect(first.environment.filter((name) => name.startsWith('STAGEWATCH'))).toEqual([]);
    expect(getPriority(first.pid)).toBe(19);
    expect(measurer.capacity).toBe(1);
  });

  it('reaches the files of its jobs and nothing else, where the system can confine it', async () => {
    const measurer = open({ engine: { memoryBytes: 128 * 1024 ** 2, threads: 1, executor: 'ort-cpu' } });
    const elsewhere = join(folder, 'elsewhere');
    const { instruments } = await measurer.measure(job(20, { run: elsewhere }), never);
    const { kind, ...reached } = JSON.parse(instruments['sharpness']!.reason) as Record<string, string>;
    const free = { foreign: 'done', own: 'done', elsewhere: 'done', tcp: 'ECONNREFUSED' };
    const confined = { foreign: 'EACCES', own: 'done', elsewhere: 'EACCES', tcp: 'EACCES' };
    expect(reached).toEqual(kind === 'landlock' ? confined : free);
  });

  it('brings what the measurement before left there and back, and leaves no file', async () => {
    const measurer = open();
    const { tracker } = await measurer.measure(job(1, { tracker: new Uint8Array([1, 2]) }), never);
    expect([...tracker!]).toEqual([2, 3]);
    expect(readdirSync(join(folder, 'scratch'))).toEqual([]);
  });

  it.each([
    [13, 'it was ended by SIGABRT', 'crash'],
    [14, 'it exited with code 1', 'crash'],
    [16, 'it was not done after 0.5 s, its time limit', 'deadline'],
    [17, expect.stringMatching(/^it used \d+ MiB of memory, its limit is 1\d\d MiB$/) as string, 'memory'],
    [18, 'it was not done after 0.5 s, its time limit', 'deadline'],
  ])('says how a measurement ended its process (%i: %s), and goes on with a new one', async (step, message, reason) => {
    const measurer = open({ deadlineMs: step === 17 ? 60_000 : 500 });
    const { pid } = await said(measurer);
    const crash = await measurer.measure(job(step), never).catch((error: unknown) => error);
    expect(crash).toBeInstanceOf(MeasurerCrashed);
    expect((crash as Error).message).toEqual(message);
    expect(processIsGone(pid)).toBe(true);
    // The executor that was chosen once is not chosen again.
    expect(await said(measurer)).toMatchObject({ measured: 1, executor: 'tfjs-cpu' });
    expect(await counted('stagewatch_measuring_process_starts_total')).toEqual({ '': 2 });
    expect(await counted('stagewatch_measuring_process_ends_total')).toEqual({ [reason]: 1 });
  });

  it('passes on an error that is not a crash, and what is missing, and keeps its process', async () => {
    const measurer = open();
    const { pid } = await said(measurer);
    await expect(measurer.measure(job(15), never)).rejects.toThrow(/^no$/);
    await expect(measurer.measure(job(19), never)).rejects.toMatchObject({ name: 'BlobMissing' });
    expect(await said(measurer)).toMatchObject({ measured: 2, pid });
  });

  it('says so when no process can be started', async () => {
    const measurer = open({ engine: { memoryBytes: 1, threads: 1, executor: 'dead' } });
    await expect(measurer.measure(job(1), never)).rejects.toThrow(/^it could not start: it exited with code 7$/);
    expect(await counted('stagewatch_measuring_process_starts_total')).toEqual({ '': 3 });
  });

  it('ends a measurement that nobody waits for any more, and the next one has its turn', async () => {
    const measurer = open();
    const { pid } = await said(measurer);
    const abort = new AbortController();
    const under = measurer.measure(job(16), abort.signal).catch((error: unknown) => error);
    const after = said(measurer);
    const cancelled = new AbortController();
    const inLine = measurer.measure(job(1), cancelled.signal).catch((error: unknown) => error);
    cancelled.abort();
    expect(await inLine).toBeInstanceOf(Stopped);
    await vi.waitFor(async () => expect(await counted('stagewatch_measurements_under_way')).toEqual({ '': 1 }));
    abort.abort();
    expect(await under).toBeInstanceOf(Stopped);
    expect(await after).toMatchObject({ measured: 1 });
    expect(processIsGone(pid)).toBe(true);
    expect(await counted('stagewatch_measuring_process_ends_total')).toEqual({ stopped: 1 });
  });

  it('ends everything when it closes, whatever is under way', async () => {
    const measurer = open({ processes: 2 });
    const { pid } = await said(measurer);
    const under = [16, 18, 1, 1].map((step) => measurer.measure(job(step), never).catch((error: unknown) => error));
    await vi.waitFor(async () => expect(await counted('stagewatch_measuring_process_starts_total')).toEqual({ '': 2 }));
    await measurer.close();
    for (const outcome of await Promise.all(under)) expect(outcome).toBeInstanceOf(Stopped);
    expect(processIsGone(pid)).toBe(true);
    await expect(measurer.measure(job(1), never)).rejects.toBeInstanceOf(Stopped);
  });

  it('gives its memory back when there is nothing to measure, and begins again', async () => {
    const measurer = open({ idleMs: 50 });
    const { pid } = await said(measurer);
    await vi.waitFor(async () => expect(await counted('stagewatch_measuring_process_ends_total')).toEqual({ idle: 1 }), 5000);
    expect(processIsGone(pid)).toBe(true);
    expect(await said(measurer)).toMatchObject({ measured: 1 });
  });

  it('measures for real, and closes at any moment of it', { timeout: 120_000 }, async () => {
    // So many examples that it is nearly always inside ONNX Runtime.
    const { job: real } = goldenModel('tanh-classes', 5000);
    for (let round = 0; round < 3; round++) {
      const measurer = new ProcessMeasurer({
        logger: createLogger({ level: 'silent' }),
        metrics: new Metrics(),
        engine: { memoryBytes: 512 * 1024 ** 2, threads: 1 },
        processes: undefined,
        deadlineMs: 60_000,
        scratch: join(folder, 'real'),
      });
      const { readings, tracker } = await measurer.measure(real, never);
      expect(readings.find(({ name }) => name === 'sharpness')).toMatchObject({ device: 'ort-cpu' });
      const under = measurer.measure({ ...real, step: 1, tracker }, never).catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, 5 + 20 * round));
      const startMs = performance.now();
      await measurer.close();
      expect(performance.now() - startMs).toBeLessThan(3000);
      await under;
    }
  });
});

it('reads a file only when its bytes have the checksum that is its name', async () => {
  const { job: real } = goldenModel();
  const digest = 'a'.repeat(64);
  const measurer = open({ file: join(packageRoot, 'dist/apps/analyzer/measure/measuring-program.js') });
  const result = await measurer.measure(
    { ...real, model: { ...real.model, graphDigest: digest }, artifact: () => real.artifact('graph') },
    never,
  );
  expect(result.instruments['sharpness']).toMatchObject({ on: false, reason: expect.stringContaining('other bytes') });
  expect(readFileSync(file, 'utf8')).toBe(program);
});
