import { expect, it } from 'vitest';
import { withScene } from '../support/scene.js';
import { eventually, sqlRows } from '../support/service-process.js';

it('a model that cannot fit is told what it would take, before anything is tried', { timeout: 180_000 }, () =>
  withScene(async (scene) => {
    const service = await scene.service({ env: { STAGEWATCH_ENGINE_MEMORY_MIB: '64', STAGEWATCH_EXECUTOR: 'ort-cpu' } });
    // 0.7 million numbers: some thirty vectors of them, and a little to compute with.
    const job = scene.wideJob({ address: service.address, steps: 3, sizes: [64, 800, 800, 8], examples: 16 });
    const run = await job.run;
    const [row] = await eventually(
      () =>
        sqlRows<{ reason: string }>(
          service,
          `SELECT reason FROM instruments FINAL WHERE run = '${run}' AND instrument = 'sharpness' AND reason LIKE '%MiB%'`,
        ),
      ({ length }) => length > 0,
      90_000,
    );
    expect(row!.reason).toMatch(
      /^To measure a model of 699208 parameters takes 1\d\d MiB, expected at most the 64 MiB of STAGEWATCH_ENGINE_MEMORY_MIB$/,
    );
    expect(await job.exited).toMatchObject({ code: 0, delivered: true });
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toMatch(/^stagewatch_measuring_process_starts_total 1$/m);
    expect(metrics).not.toMatch(/^stagewatch_measuring_process_ends_total\{reason="(memory|crash)"\}/m);
  }),
);
