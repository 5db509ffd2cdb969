import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { JobProcess } from '../support/job-process.js';
import { findPython } from '../support/needs.js';
import { runPicture } from '../support/run-picture.js';
import { withScene, type Scene } from '../support/scene.js';
import { freePorts, sqlRows } from '../support/service-process.js';
import type { JobOptions } from './jobs/job-options.js';

/** How long the service is away; the bench of faults asks for 60. */
const awaySeconds = Number(process.env['STAGEWATCH_AWAY_SECONDS'] ?? 5);
const pauseMs = 5;
/** More than a job can do in that time. */
const steps = 300 + Math.ceil((awaySeconds * 1000) / pauseMs);
/** All of them are measured before the test ends. */
const snapshotEvery = 40;
const python = findPython('the service away beside a PyTorch job', ['torch', 'grpc', 'google.protobuf', 'numpy']);

const kinds = [
  { kind: 'node', rows: 4 * steps, start: (scene: Scene, options: JobOptions) => scene.nodeJob(options) },
  ...(python === undefined
    ? []
    : [{ kind: 'torch', rows: 3 * steps + 1, start: (scene: Scene, options: JobOptions) => scene.torchJob(python, options) }]),
];

it.each(kinds)(
  `the service is away for ${awaySeconds} s in the middle of a $kind job: training goes on, and all of it arrives later, in order`,
  { timeout: 240_000 + awaySeconds * 4000 },
  ({ start, rows }) =>
    withScene(async (scene) => {
      const ports = await freePorts();
      const options = { address: `127.0.0.1:${ports.grpc}`, steps, pauseMs, paced: true, snapshotEvery };
      const first = await scene.service({ ports });
      const job = start(scene, options);
      const twin = start(scene, { ...options, bare: true });
      const run = await job.run;
      for (const one of [job, twin]) one.allow(99);
      await Promise.all([job.untilStep(99), twin.untilStep(99)]);
      // In the middle of training, Ctrl-C or an orchestrator's SIGTERM.
      for (const one of [job, twin]) one.allow(steps - 51);
      await Promise.all([job.untilStep(120), twin.untilStep(120)]);
      expect(await first.stop('SIGTERM')).toBe(0);
      const before = [job.step, twin.step] as const;
      await wait(awaySeconds * 1000);
      const made = job.step - before[0];
      // A twin without a probe, at the same time on the same machine, says what was possible.
      expect(made).toBeGreaterThan((twin.step - before[1]) / 2);
      expect(made).toBeGreaterThan(20);

      const second = await scene.service({ ports });
      await job.untilStep(steps - 51);
      job.release();
      await expectTheEnd(job);
      const picture = await runPicture(second, run, rows, 180_000);
      expect(picture).toMatchObject({ status: 'finished', rows: picture.identities });
      expect(picture.findings.filter((finding) => /^(gap|lost|resumed) /.test(finding))).toEqual([]);
      expect(await inOrder(second, run)).toEqual(Array.from({ length: steps }, (_, step) => step));
      const measured = [...picture.readings.keys()].filter((at) => at.startsWith('sharpness  '));
      expect(measured.length).toBeGreaterThanOrEqual(Math.ceil(steps / snapshotEvery));
      expect(await second.stop()).toBe(0);
    }),
);

async function expectTheEnd(job: JobProcess): Promise<void> {
  const end = await job.exited;
  expect(end).toMatchObject({ code: 0, steps, delivered: true });
  expect(end.errors).not.toMatch(/Traceback|Error:/);
}

/** Steps of the loss in the order of sequences; times of arrival must not go back in that order. */
async function inOrder(service: { readonly url: string }, run: string): Promise<number[]> {
  const rows = await sqlRows<{ step: number; ms: number }>(
    service,
    `SELECT toUInt32(step) AS step, toFloat64(toUnixTimestamp64Milli(time)) AS ms FROM scalars
      WHERE run = '${run}' AND name = 'loss.train' ORDER BY sequence, place`,
  );
  expect(rows.map(({ ms }) => ms)).toEqual(rows.map(({ ms }) => ms).sort((a, b) => a - b));
  return rows.map(({ step }) => step);
}
