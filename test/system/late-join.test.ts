import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { afterAll, describe, expect, test } from 'vitest';
import { streams, type Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { toJsonNumber, type JsonNumber } from '#math/json-number.js';
import { sleep } from '#runtime/retry.js';
import { openEmbeddedStore } from '#store/index.js';
import type { Store } from '#store/store.js';
import { startDashboard } from '#dashboard/testing/harness.js';
import { line, Recorder } from '#dashboard/testing/recorder.js';
import { Api } from '../../apps/dashboard/page/live/api.js';
import { RunWatch } from '../../apps/dashboard/page/live/run-watch.js';
import type { RunModel } from '../../apps/dashboard/page/model/run-model.js';

const names = ['loss.train', 'sharpness', 'gradient.norm'] as const;
const rounds = 40;

function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/** What somebody sees who looks at the run: everything that was wanted, whole. */
function picture(model: RunModel): unknown {
  const points = names.flatMap((name) =>
    model.linesOf(name, '').flatMap((one) =>
      one.stretches(new Map()).map(({ points: { attempt, steps, values, bounds } }) => ({
        name,
        rank: one.rank,
        attempt,
        steps,
        values: values.map(toJsonNumber),
        bounds: bounds?.map(toJsonNumber),
      })),
    ),
  );
  const { run, findings, instruments, starts } = model;
  const sorted = [...instruments].sort((a, b) => a.instrument.localeCompare(b.instrument));
  return { points, run, findings, instruments: sorted, starts: [...starts].sort(([a], [b]) => a - b) };
}

class Watcher {
  model: RunModel | undefined;
  private readonly socket: ReturnType<typeof io>;
  private readonly watch: RunWatch;

  constructor(url: string, run: string) {
    this.socket = io(url, { transports: ['websocket'], forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100 });
    this.watch = new RunWatch(this.socket, new Api(url), run, {
      model: (model) => {
        this.model = model;
        for (const name of names) void this.watch.want(name, '');
      },
      state: () => undefined,
      missing: (message) => {
        throw new Error(message);
      },
    });
    this.watch.start();
  }

  /** As when a laptop is closed or a proxy gives up. */
  cut(): void {
    this.socket.io.engine?.close();
  }

  async settled(): Promise<unknown> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const { model } = this;
      const loaded = model !== undefined && names.every((name) => model.linesOf(name, '').some((one) => one.loaded));
      if (loaded && model.run?.status === 'finished') return picture(model);
      if (Date.now() > deadline) throw new Error(`never settled: ${JSON.stringify(model?.run)}`);
      await sleep(20);
    }
  }

  close(): void {
    this.watch.close();
    this.socket.disconnect();
  }
}

/** A run with all that makes a picture hard: NaN, points that come late or twice, a restart, findings, changing instruments. */
async function write(recorder: Recorder, random: () => number, pause: () => Promise<void>): Promise<void> {
  let attempt = 1;
  let step = 0;
  const value = (): JsonNumber => (random() < 0.1 ? 'nan' : random() < 0.05 ? 'inf' : Math.round(random() * 1e6) / 1e3);
  await recorder.update();
  for (let round = 0; round < rounds; round++) {
    if (round === Math.floor(rounds / 2)) {
      attempt = 2;
      step = Math.floor(step * 0.7);
      await recorder.update({ attempt });
      await recorder.finding({ kind: 'resumed', step, text: `step ${step}: attempt 2 took up the run` });
    }
    const count = 1 + Math.floor(random() * 6);
    const steps = Array.from({ length: count }, (_, i) => step + i);
    await recorder.series(line('loss.train', steps, steps.map(value), { attempt }));
    if (random() < 0.3) await recorder.series(line('loss.train', [steps[0]!], [value()], { attempt }));
    const late = Math.max(0, step - Math.floor(random() * 8));
    const measured = { attempt, source: 'analyzer', bounds: [random() < 0.5 ? 'nan' : 0.25] } as const;
    await recorder.series(line('sharpness', [late], [value()], measured), line('gradient.norm', [step], [value()], { attempt }));
    if (random() < 0.2) await recorder.finding({ kind: 'stage', step, to: 'edge', text: `step ${step}: something` });
    if (random() < 0.15) await recorder.instruments({ instrument: 'sharpness', on: random() < 0.5, reason: `round ${round}` });
    step += count;
    await recorder.update({ step });
    await pause();
  }
  await recorder.update({ status: 'finished' });
}

describe('late join - everybody ends with the same picture', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stagewatch-late-'));
  const opened: { close(): Promise<void> }[] = [];
  afterAll(async () => {
    for (const part of opened.reverse()) await part.close();
    await rm(folder, { recursive: true, force: true });
  });
  const parts = async (name: string, keep: number): Promise<{ bus: Bus; store: Store }> => {
    const bus = await openLmdbBus({
      path: join(folder, `bus-${name}`),
      mapBytes: 2 ** 30,
      streams: { ...streams, live: { retention: 'recent', maxMessages: keep } },
    });
    opened.push(bus);
    return { bus, store };
  };
  let store: Store;

  test.each([
    { seed: 1, keep: 200_000 },
    { seed: 2, keep: 200_000 },
    // A stream so short that whoever was away for long has to fetch the history again.
    { seed: 3, keep: 12 },
  ])('seed $seed: joined at random times, cut in the middle, $keep messages kept', async ({ seed, keep }) => {
    if (opened.length === 0) {
      store = await openEmbeddedStore({ path: join(folder, 'clickhouse'), limits: { maxAgeMs: 5 } });
      opened.push(store);
    }
    const { bus } = await parts(String(seed), keep);
    const house = await startDashboard({ bus, store });
    const random = randomSource(seed);
    const recorder = new Recorder(bus, store, { name: `late ${seed}` });
    await recorder.update();
    const { run } = recorder.run;
    const watchers = [new Watcher(house.url, run)];
    await write(recorder, random, async () => {
      if (random() < 0.3 && watchers.length < 6) watchers.push(new Watcher(house.url, run));
      if (random() < 0.2) watchers[Math.floor(random() * watchers.length)]!.cut();
      await sleep(Math.floor(random() * 30));
    });
    const last = new Watcher(house.url, run);
    const truth = await last.settled();
    expect(watchers.length).toBe(6);
    for (const watcher of watchers) expect(await watcher.settled()).toEqual(truth);
    expect((truth as { points: unknown[] }).points).toHaveLength(2 * names.length);
    for (const watcher of [...watchers, last]) watcher.close();
    await house.close();
  });

  test('the service restarts while a page watches: it resumes from its cursor', async () => {
    const { bus } = await parts('restart', 200_000);
    const random = randomSource(9);
    const first = await startDashboard({ bus, store });
    const recorder = new Recorder(bus, store, { name: 'restart' });
    await recorder.update();
    const watcher = new Watcher(first.url, recorder.run.run);
    let house = first;
    let round = 0;
    await write(recorder, random, async () => {
      if (++round === 20) await house.close();
      if (round === 30) house = await startDashboard({ bus, store }, { STAGEWATCH_PORT_HTTP: String(first.port) });
      await sleep(10);
    });
    const late = new Watcher(house.url, recorder.run.run);
    expect(await watcher.settled()).toEqual(await late.settled());
    watcher.close();
    late.close();
    await house.close();
  });
});
