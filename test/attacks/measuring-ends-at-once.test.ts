import { expect, it } from 'vitest';
import { cli } from '../support/cli-process.js';
import { withScene, type Scene } from '../support/scene.js';
import { eventually, type LaunchedService } from '../support/service-process.js';

/** A measurement takes minutes on any machine: a product of this network is some 5 · 10¹¹ operations. */
const long = { sizes: [512, 1500, 1500, 512], examples: 16384, steps: 1, pauseMs: 10 };

/** A run whose only snapshot is being measured, with a product under way. */
async function measuring(scene: Scene, service: LaunchedService): Promise<string> {
  const run = await scene.wideJob({ address: service.address, ...long }).run;
  await eventually(
    () => jobAgeSeconds(service),
    (seconds) => seconds > 4,
    90_000,
  );
  return run;
}

async function jobAgeSeconds(service: LaunchedService): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  return Number(/^stagewatch_analyzer_job_age_seconds (\S+)$/m.exec(text)?.[1]);
}

const secondsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
};

it('a run that is being measured is deleted at once', { timeout: 180_000 }, () =>
  withScene(async (scene) => {
    const service = await scene.service();
    const run = await measuring(scene, service);
    const env = { STAGEWATCH_URL: service.url };
    const gone = async (): Promise<void> =>
      expect(await cli(['delete', run, '--yes'], { env })).toMatchObject({ code: 0, out: `${run} is gone.\n` });
    // Two seconds are promised; the command's own start is in it, which takes longer than that on a busy machine.
    expect(await secondsOf(gone)).toBeLessThan(20);
    await eventually(
      () => jobAgeSeconds(service),
      (seconds) => seconds === 0,
      5000,
    );
  }),
);

it('a service that is measuring stops at once', { timeout: 180_000 }, () =>
  withScene(async (scene) => {
    const service = await scene.service();
    await measuring(scene, service);
    const seconds = await secondsOf(async () => expect(await service.stop('SIGTERM')).toBe(0));
    // A second is promised for the measurement; the rest of the service has its own.
    expect(seconds).toBeLessThan(5);
  }),
);
