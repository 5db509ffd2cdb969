/** One contract, read as one list; long for that reason. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '#runtime/ids.js';
import type { Store } from '#store/store.js';
import { ask, finding, reading, runRow, scalar, timeMs } from './store-rows.js';

/** One installation of a store: it can be left and opened again, and what was written is still there. */
export interface StoreHome {
  open(): Promise<Store>;
  destroy(): Promise<void>;
}

export interface StoreContract {
  readonly name: string;
  readonly create: () => Promise<StoreHome>;
}

/** What every store must do; run by each implementation with its real database. */
export function storeContract(contract: StoreContract): void {
  describe(`store contract - ${contract.name}`, () => {
    let home: StoreHome;
    let store: Store;
    let run: string;
    beforeAll(async () => {
      home = await contract.create();
      store = await home.open();
    });
    afterAll(async () => {
      await store.close();
      await home.destroy();
    });
    const fresh = (): string => (run = newId('r'));
    const count = async (table: string): Promise<number> =>
      Number((await ask(store, `SELECT count() FROM ${table} WHERE run = '${run}'`))[0]?.[0]);

    test('rows come back as they were written', async () => {
      fresh();
      await Promise.all([
        store.write('runs', [runRow(run, 7)]),
        store.write('readings', [reading(run, 3, 6.25, { key: 'layer 1', name: 'curvature.layer' })]),
        store.write('findings', [finding(run, 'f1', 5)]),
        store.write('instruments', [{ run, attempt: 1, instrument: 'sharpness', on: false, reason: 'no probe set', version: 1 }]),
      ]);
      expect(await store.run(run)).toEqual(runRow(run, 7));
      expect(await store.findings(run)).toEqual([finding(run, 'f1', 5)]);
      expect(await store.instruments(run, 1)).toEqual([
        { run, attempt: 1, instrument: 'sharpness', on: false, reason: 'no probe set', version: 1 },
      ]);
      expect(await store.series({ run, name: 'curvature.layer', key: 'layer 1' })).toEqual({
        name: 'curvature.layer',
        key: 'layer 1',
        source: 'analyzer',
        attempts: [1],
        ranks: [0],
        steps: [3],
        values: [6.25],
        bounds: [1e-3],
        timesMs: [timeMs],
        thinned: false,
      });
      expect(await store.run('nobody')).toBeUndefined();
    });

    test('NaN, infinities, extreme and exact numbers survive', async () => {
      fresh();
      const values = [NaN, Infinity, -Infinity, 0, 5e-324, 1.7976931348623157e308, -1e-310, 0.1 + 0.2, 1 / 3, 123456789.12345679];
      await store.write(
        'scalars',
        values.map((value, i) => scalar(run, i, value)),
      );
      await store.write('readings', [reading(run, 1, Infinity, { bound: NaN, seconds: NaN })]);
      expect((await store.series({ run, name: 'loss.train' })).values).toEqual(values);
      const { values: sharpness, bounds } = await store.series({ run, name: 'sharpness' });
      expect([...sharpness, ...bounds]).toEqual([Infinity, NaN]);
      expect(await ask(store, `SELECT isNaN(value) FROM scalars WHERE run = '${run}' AND step = 0`)).toEqual([[1]]);
    });

    test('whole numbers are exact up to 2^53 - 1 and refused beyond', async () => {
      fresh();
      const large = Number.MAX_SAFE_INTEGER;
      await store.write('scalars', [scalar(run, large, 1, { step: large, attempt: 2 ** 32 - 1 })]);
      expect((await store.series({ run, name: 'loss.train' })).steps).toEqual([large]);
      expect(await ask(store, `SELECT step, sequence FROM scalars WHERE run = '${run}'`)).toEqual([[`${large}`, `${large}`]]);
      for (const step of [-1, 0.5, large + 1, NaN]) {
        await expect(store.write('scalars', [scalar(run, 1, 1), scalar(run, 2, 1, { step })])).rejects.toThrow(/step/);
      }
      expect(await count('scalars')).toBe(1);
    });

    test('a row written twice is one row to every reader', async () => {
      fresh();
      const rows = Array.from({ length: 100 }, (_, i) => scalar(run, i, i / 7));
      for (let again = 0; again < 3; again++) await store.write('scalars', rows);
      await store.write('readings', [reading(run, 1, 5), reading(run, 1, 5)]);
      await store.write('readings', [reading(run, 1, 5, { seconds: 9 })]);
      await store.write('findings', [finding(run, 'f1', 1), finding(run, 'f2', 2)]);
      await store.write('findings', [finding(run, 'f2', 2)]);
      expect((await store.series({ run, name: 'loss.train' })).steps).toEqual(rows.map((row) => row.step));
      expect(await Promise.all(['scalars', 'readings', 'findings', 'series'].map(count))).toEqual([100, 1, 2, 101]);
      expect((await store.findings(run)).map((f) => f.id)).toEqual(['f1', 'f2']);
      expect(await store.seriesNames(run)).toEqual([
        { name: 'loss.train', key: '', source: 'log', points: 100 },
        { name: 'sharpness', key: '', source: 'analyzer', points: 1 },
      ]);
    });

    test('the same number from two ranks, attempts or records are different rows', async () => {
      fresh();
      await store.write('scalars', [
        scalar(run, 1, 1),
        scalar(run, 1, 2, { rank: 1 }),
        scalar(run, 1, 3, { attempt: 2 }),
        scalar(run, 2, 4, { step: 1 }),
        scalar(run, 1, 5, { index: 1 }),
      ]);
      expect((await store.series({ run, name: 'loss.train' })).values.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
      expect((await store.series({ run, name: 'loss.train', rank: 1 })).values).toEqual([2]);
    });

    test('of runs and instruments the newest version wins, in whatever order they come', async () => {
      fresh();
      for (const version of [1, 3, 2]) {
        await store.write('runs', [runRow(run, version)]);
        await store.write('instruments', [
          { run, attempt: 1, instrument: 'loss', on: version === 3, reason: `${version}`, version },
        ]);
      }
      expect((await store.run(run))?.step).toBe(3);
      expect((await store.instruments(run, 1)).map((i) => i.reason)).toEqual(['3']);
      expect((await store.runs()).filter((r) => r.run === run)).toHaveLength(1);
      expect(await store.runs({ project: 'another' })).toEqual([]);
    });

    test('runs are listed page after page, each once, also those that began in the same millisecond', async () => {
      const project = newId('p');
      const all = Array.from({ length: 25 }, (_, i) => runRow(newId('r'), 1, { project, createdMs: timeMs + (i >> 2) }));
      await store.write('runs', all);
      const found: string[] = [];
      for (let page = await store.runs({ project, limit: 4 }); page.length > 0;) {
        found.push(...page.map((row) => row.run));
        page = await store.runs({ project, limit: 4, after: page.at(-1)! });
      }
      expect(found).toHaveLength(25);
      expect(found.toSorted()).toEqual(all.map((row) => row.run).toSorted());
    });

    test('what is exported can be imported, to the last digit, NaN and infinities too', async () => {
      fresh();
      const values = [Number.NaN, Infinity, -Infinity, 0.1, 5e-324, 1.7976931348623157e308, -1 / 3];
      await store.write(
        'scalars',
        values.map((value, i) => scalar(run, i, value)),
      );
      await store.write('readings', [reading(run, 3, 0.1)]);
      const before = await ask(store, `SELECT * FROM series WHERE run = '${run}' ORDER BY name, step`);
      for (const table of ['scalars', 'readings'] as const) {
        const pages: string[] = [];
        for await (const page of store.exportTable(table)) pages.push(page.lines);
        for (const lines of pages) await store.importLines(table, lines);
      }
      expect(await ask(store, `SELECT * FROM series WHERE run = '${run}' ORDER BY name, step`)).toEqual(before);
      expect(before).toHaveLength(values.length + 1);
      await store.deleteRuns([run]);
      await store.importLines('scalars', `${JSON.stringify([run, 'x', 1, 2, 0, 4, 5, 'nan', '2026-01-01 00:00:00.000'])}\n`);
      expect(await count('scalars')).toBe(1);
    });

    test('many writers at once: each hears when its own rows are in', async () => {
      fresh();
      const writer = async (rank: number): Promise<void> => {
        for (let i = 0; i < 5; i++) {
          await store.write(
            'scalars',
            Array.from({ length: 20 }, (_, j) => scalar(run, i * 20 + j, j, { rank })),
          );
          const [[seen] = []] = await ask(store, `SELECT count() FROM scalars WHERE run = '${run}' AND rank = ${rank}`);
          expect(Number(seen)).toBe((i + 1) * 20);
        }
      };
      await Promise.all([writer(0), writer(1)]);
      expect(await count('scalars')).toBe(200);
    });

    test('more rows in one call than one batch holds', async () => {
      fresh();
      await store.write(
        'scalars',
        Array.from({ length: 120_000 }, (_, i) => scalar(run, i, i)),
      );
      expect(await count('scalars')).toBe(120_000);
    });

    test('a long series keeps its ends, its spikes and its first NaN', async () => {
      fresh();
      const length = 30_000;
      const rows = Array.from({ length }, (_, i) => scalar(run, i, Math.sin(i / 500)));
      rows[12_345] = scalar(run, 12_345, 99);
      rows[23_456] = scalar(run, 23_456, -99);
      for (let i = 29_000; i < 29_100; i++) rows[i] = scalar(run, i, NaN);
      rows[20_000] = scalar(run, 20_000, Infinity);
      await store.write('scalars', rows);
      await store.write('scalars', rows.slice(0, 10_000));
      const thin = await store.series({ run, name: 'loss.train', maxPoints: 500 });
      expect(thin.thinned).toBe(true);
      expect(thin.steps.length).toBeLessThanOrEqual(500);
      expect(thin.steps.length).toBeGreaterThan(250);
      expect(thin.steps).toEqual(thin.steps.toSorted((a, b) => a - b));
      expect(new Set(thin.steps).size).toBe(thin.steps.length);
      for (const step of [0, 12_345, 20_000, 23_456, 29_000, length - 1]) expect(thin.steps).toContain(step);
      for (const [i, step] of thin.steps.entries()) expect(thin.values[i]).toEqual(rows[step]?.value);
      const part = await store.series({ run, name: 'loss.train', fromStep: 12_300, toStep: 12_400, maxPoints: 500 });
      expect([part.steps.length, part.thinned]).toEqual([101, false]);
    });

    test('a resumed run: steps that overlap stay in step order', async () => {
      fresh();
      const rows = [0, 1, 2, 3].map((i) => scalar(run, i, i));
      await store.write('scalars', [...rows, ...[2, 3, 4].map((i) => scalar(run, i, i, { attempt: 2 }))]);
      const series = await store.series({ run, name: 'loss.train' });
      expect(series.steps).toEqual([0, 1, 2, 2, 3, 3, 4]);
      expect(series.attempts).toEqual([1, 1, 1, 2, 1, 2, 2]);
    });

    test('stages are intervals without gaps', async () => {
      fresh();
      const at = (step: number): number => timeMs + step * 1000;
      await store.write('runs', [runRow(run, 1, { step: 90, seenMs: at(90) })]);
      await store.write(
        'readings',
        [0, 10, 20, 30].map((step) => reading(run, step, 1, { timeMs: at(step) })),
      );
      await store.write('findings', [
        finding(run, 'a', 0, { from: 'unknown', to: 'transient', timeMs: at(0) }),
        finding(run, 'b', 30, { onset: 20, to: 'sharpening', timeMs: at(30) }),
        finding(run, 'c', 40, { onset: 40, to: 'edge', timeMs: at(40) }),
        finding(run, 'd', 40, { kind: 'edge_crossed' }),
      ]);
      const sql = `SELECT stage, from_step, to_step, toUnixTimestamp64Milli(from_time), toUnixTimestamp64Milli(to_time)
        FROM stages WHERE run = '${run}' ORDER BY from_step`;
      expect(await ask(store, sql)).toEqual([
        ['transient', '0', '20', `${at(0)}`, `${at(20)}`],
        ['sharpening', '20', '40', `${at(20)}`, `${at(40)}`],
        ['edge', '40', '90', `${at(40)}`, `${at(90)}`],
      ]);
    });

    test('text of every kind is text', async () => {
      fresh();
      const name = `a'"\\\`\n\t{x:String}; DROP TABLE runs -- é 漢 \u0000 😀`;
      await store.write('scalars', [scalar(run, 1, 1, { name })]);
      await store.write('findings', [finding(run, name, 1, { text: name })]);
      expect((await store.series({ run, name })).values).toEqual([1]);
      expect((await store.findings(run))[0]).toEqual(finding(run, name, 1, { text: name }));
    });

    test('a deleted run is gone from every table, and no other run with it', async () => {
      const other = fresh();
      await store.write('scalars', [scalar(other, 1, 1)]);
      fresh();
      await Promise.all([
        store.write('runs', [runRow(run, 1)]),
        store.write('scalars', [scalar(run, 1, 1)]),
        store.write('readings', [reading(run, 1, 1)]),
        store.write('findings', [finding(run, 'f', 1)]),
        store.write('instruments', [{ run, attempt: 1, instrument: 'loss', on: true, reason: '', version: 1 }]),
      ]);
      await store.deleteRuns([run]);
      const tables = ['runs', 'scalars', 'readings', 'findings', 'instruments', 'series', 'stages'];
      expect(await Promise.all(tables.map(count))).toEqual(tables.map(() => 0));
      run = other;
      expect(await count('scalars')).toBe(1);
    });

    test('history is bounded by when a finished run was last seen', async () => {
      const old = newId('r');
      const running = newId('r');
      const recent = newId('r');
      const longAgo = Date.UTC(2001, 0, 1);
      await store.write('runs', [
        runRow(old, 1, { status: 'finished', seenMs: longAgo - 1 }),
        runRow(running, 1, { status: 'running', seenMs: longAgo - 1 }),
        runRow(recent, 1, { status: 'finished', seenMs: longAgo }),
      ]);
      expect(await store.runsSeenBefore(longAgo)).toEqual([old]);
      await store.deleteRuns([old]);
      expect(await store.runsSeenBefore(longAgo)).toEqual([]);
      expect((await store.run(recent))?.run).toBe(recent);
    });

    test('left and opened again, everything is there, and what waited was written', async () => {
      fresh();
      await store.write('scalars', [scalar(run, 1, 1)]);
      const waiting = store.write('scalars', [scalar(run, 2, 2)]);
      await store.close();
      await waiting;
      await expect(store.write('scalars', [scalar(run, 3, 3)])).rejects.toThrow(/closed/);
      store = await home.open();
      await store.check();
      expect((await store.series({ run, name: 'loss.train' })).values).toEqual([1, 2]);
    });
  });
}
