import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { childrenOf } from '../support/child-processes.js';
import { untilMeasured } from '../support/run-picture.js';
import { withScene } from '../support/scene.js';
import { eventually, sqlRows, type LaunchedService } from '../support/service-process.js';

const measuringProcesses = ({ pid }: LaunchedService): readonly number[] => childrenOf(pid, 'measuring-program');
const steps = 240;
const nanFrom = 200;

it('a measuring process that is killed every second takes no number, no end and no finding with it', { timeout: 300_000 }, () =>
  withScene(async (scene) => {
    const service = await scene.service();
    const job = scene.nodeJob({ address: service.address, steps, pauseMs: 50, nanFrom, snapshotEvery: 12 });
    const run = await job.run;
    const killed = new Set<number>();
    const killing = setInterval(() => {
      for (const pid of measuringProcesses(service)) {
        process.kill(pid, 'SIGKILL');
        killed.add(pid);
      }
    }, 1000);
    scene.atEnd(() => clearInterval(killing));
    expect(await job.exited).toMatchObject({ code: 0, delivered: true });
    clearInterval(killing);
    await eventually(
      () => sqlRows<{ status: string }>(service, `SELECT status FROM runs FINAL WHERE run = '${run}'`),
      ([row]) => row?.status === 'finished',
      120_000,
    );
    expect(killed.size).toBeGreaterThan(2);

    const [losses] = await sqlRows<{ n: string }>(
      service,
      `SELECT uniqExact(step) AS n FROM scalars WHERE run = '${run}' AND name = 'loss.train'`,
    );
    expect(Number(losses!.n)).toBe(steps);
    const findings = await sqlRows<{ kind: string; step: string }>(
      service,
      `SELECT kind, step FROM findings WHERE run = '${run}'`,
    );
    expect(findings.map(({ kind, step }) => `${kind} ${step}`)).toContain(`divergence_risk ${nanFrom}`);
    // The service itself has been there all the time.
    expect(existsSync(`/proc/${service.pid}`)).toBe(true);
    expect(await (await fetch(`${service.url}/healthz`)).text()).toBeTruthy();
    expect(await service.stop('SIGTERM')).toBe(0);
  }),
);

it(
  'a service that is killed leaves no measuring process behind, and its snapshots are measured after all',
  { timeout: 300_000 },
  () =>
    withScene(async (scene) => {
      let service = await scene.service();
      const job = scene.nodeJob({ address: service.address, steps: 80, pauseMs: 20, snapshotEvery: 10 });
      const run = await job.run;
      // More often than a snapshot may end its process: none of these deaths is a snapshot's fault.
      for (let round = 0; round < 4; round++) {
        const [pid] = await eventually(
          () => Promise.resolve(measuringProcesses(service)),
          ({ length }) => length > 0,
          60_000,
        );
        await service.kill();
        await eventually(
          () => Promise.resolve(isAlive(pid!)),
          (alive) => !alive,
          5000,
        );
        service = await scene.service({ ports: service.ports });
      }
      expect(await job.exited).toMatchObject({ code: 0, delivered: true });
      await eventually(
        () => sqlRows<{ status: string }>(service, `SELECT status FROM runs FINAL WHERE run = '${run}'`),
        ([row]) => row?.status === 'finished',
        180_000,
      );
      // Its end waits for no measurement.
      await untilMeasured(service, run, 180_000);
      const off = await sqlRows(
        service,
        `SELECT instrument, reason FROM instruments FINAL WHERE run = '${run}' AND reason LIKE '%ended its process%'`,
      );
      expect(off).toEqual([]);
      const [measured] = await sqlRows<{ n: string }>(
        service,
        `SELECT uniqExact(step) AS n FROM readings WHERE run = '${run}' AND name = 'sharpness'`,
      );
      expect(Number(measured!.n)).toBeGreaterThan(2);
    }),
);

/** Of those that nobody has waited for, only the entry is left. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}
