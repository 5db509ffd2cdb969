import { expect, it } from 'vitest';
import { killRounds, snapshotEveryOf, type WatchedJob } from '../support/kill-rounds.js';
import { findPython } from '../support/needs.js';
import { furthestReading } from '../support/run-picture.js';

const rounds = Number(process.env['STAGEWATCH_KILL_ROUNDS'] ?? 12);
const seed = Number(process.env['STAGEWATCH_KILL_SEED'] ?? 1);
const steps = Math.min(4000, Math.max(400, 100 * rounds));
/** Snapshots are taken at its multiples. */
const lastSnapshot = Math.floor((steps - 1) / snapshotEveryOf(steps)) * snapshotEveryOf(steps);
const python = findPython('kill -9 of the service beside a PyTorch job', ['torch', 'grpc', 'google.protobuf', 'numpy']);

const logged = (names: readonly string[]): string[] =>
  names.flatMap((name) => Array.from({ length: steps }, (_, step) => `${name} ${step}`)).sort();

/** What must hold whether or not the service was killed. */
function expectWhole({ name, end, picture }: WatchedJob): void {
  expect(end, name).toMatchObject({ code: 0, steps, delivered: true });
  expect(end.errors).not.toMatch(/Traceback|Error:|\btraining goes on\)/);
  expect(picture).toMatchObject({ status: 'finished', rows: picture.identities });
  // The Python probe logs the learning rate when it changes, the Node job at each step.
  const names = ['loss.train', 'gradient.norm', 'odd', ...(name === 'node' ? ['lr'] : [])];
  const said = [...picture.scalars.keys()].filter((at) => !/^(batch_size|gradient\.clip) /.test(at));
  expect(said.filter((at) => name === 'node' || at !== 'lr 0').sort()).toEqual(logged(names));
  expect(picture.logged).toBe(steps * names.length + (name === 'node' ? 0 : 1));
  expect(picture.findings.filter((finding) => /^(gap|lost|resumed) /.test(finding))).toEqual([]);
}

it(
  `kill -9 of the service, ${rounds} times at random moments: nothing is lost, nothing is there twice, nothing is told otherwise`,
  { timeout: 120_000 + rounds * 40_000 },
  async () => {
    const { killed, undisturbed } = await killRounds({ rounds, seed, python, steps });
    for (const job of [...killed, ...undisturbed]) expectWhole(job);
    for (const [i, { name, picture }] of killed.entries()) {
      const calm = undisturbed[i]!.picture;
      expect(picture.scalars, name).toEqual(calm.scalars);
      expect(picture.findings, name).toEqual(calm.findings);
      expect(picture.findings.length, 'a story worth comparing').toBeGreaterThan(4);
      expect([...picture.readings.keys()], name).toEqual([...calm.readings.keys()]);
      expect(picture.readings.has(`sharpness  ${lastSnapshot}`), name).toBe(true);
      const { at, difference } = furthestReading(picture, calm);
      expect(difference, `${name}: ${at}`).toBeLessThanOrEqual(1e-3);
      expect(picture.instruments, name).toEqual(calm.instruments);
    }
  },
);
