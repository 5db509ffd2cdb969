import { closeSync, cpSync, existsSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { restore } from '#cli/restore.js';
import { createIngestClient } from '#wire/client.js';
import { attach, Talk } from '../../apps/collector/testing/talk.js';
import { cli } from '../support/cli-process.js';
import { runPicture } from '../support/run-picture.js';
import { Scene } from '../support/scene.js';
import { eventually, freePorts, sqlRows, type ServiceProcess } from '../support/service-process.js';

const scene = new Scene();
afterAll(() => scene.close());

const points = (step: number) => ({ names: ['loss.train'], nameIndex: [0], steps: [step], values: [step / 2] });

async function stepsOf(service: ServiceProcess, run: string): Promise<number[]> {
  const rows = await sqlRows<{ step: number }>(
    service,
    `SELECT toUInt32(step) AS step FROM scalars WHERE run = '${run}' ORDER BY step`,
  );
  return rows.map(({ step }) => step);
}

interface Rows {
  readonly n: number;
  readonly u: number;
}

const rowsOf = (run: string): string =>
  `SELECT toUInt32(count()) AS n, toUInt32(uniqExact((attempt, rank, sequence, place))) AS u FROM scalars WHERE run = '${run}'`;

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

it(
  'a backup under load, everything killed, restored elsewhere: nothing acknowledged is missing, nothing is twice',
  {
    timeout: 600_000,
  },
  async () => {
    const [dataDir, backup, other] = [scene.path('data'), scene.path('backup'), scene.path('other')];
    const ports = await freePorts();
    const service = await scene.service({ ports, dataDir });
    const client = createIngestClient({ address: service.address });
    scene.atEnd(() => client.close());
    // One run that has ended, one job with snapshots that goes on, one writer that never stops.
    const ended = scene.nodeJob({ address: service.address, steps: 20, paced: false, pauseMs: 1, snapshotEvery: 5 });
    const endedRun = await ended.run;
    await ended.exited;
    const before = await runPicture(service, endedRun, 80);
    const job = scene.nodeJob({ address: service.address, steps: 100_000, paced: false, pauseMs: 5, snapshotEvery: 5 });
    const jobRun = await job.run;
    const stranger = await attach(client, { name: 'by hand' });
    const talk = new Talk(client, stranger);
    let sequence = 0;
    const sending = setInterval(() => {
      for (let i = 0; i < 5; i++) talk.send({ sequence: ++sequence, step: sequence, scalars: points(sequence) });
    }, 10);
    scene.atEnd(() => clearInterval(sending));
    await talk.untilAcknowledged(500);
    await job.untilStep(30);
    const [written] = await eventually(
      () => sqlRows<Rows>(service, rowsOf(jobRun)),
      ([row]) => row!.n > 20,
    );
    const acknowledged = talk.acknowledged();
    const made = await cli(['backup', backup, '--url', service.url]);
    expect(made.err).toMatch(/scalars: \d+ rows/);
    expect(made).toMatchObject({ code: 0 });
    clearInterval(sending);
    job.kill();
    await service.kill();
    await job.exited;

    await expect(restore(backup, dataDir, () => undefined)).rejects.toThrow(/not empty/);
    const restored = await cli(['restore', backup, '--data', other]);
    expect(restored.err).toMatch(/blobs: \d+/);
    expect(restored.code).toBe(0);
    const again = await scene.service({ ports, dataDir: other });
    // Whoever wrote goes on: what the backup does not know yet is sent again.
    const rest = await new Talk(client, stranger).until((answers) => answers.length > 0);
    const next = rest.answers[0]!.welcome!.nextSequence;
    expect(next).toBeGreaterThan(acknowledged);
    for (let n = next; n <= sequence; n++) rest.send({ sequence: n, step: n, scalars: points(n) });
    rest.send({ sequence: sequence + 1, step: sequence + 1, end: { status: 'finished' } });
    await rest.untilAcknowledged(sequence + 1);
    const picture = await runPicture(again, stranger.runId, sequence);
    expect(picture).toMatchObject({ status: 'finished', rows: sequence, identities: sequence });
    expect(await stepsOf(again, stranger.runId)).toEqual(upTo(sequence));
    expect(picture.findings.filter((finding) => finding.startsWith('gap'))).toEqual([]);
    expect(await runPicture(again, endedRun, 80)).toEqual(before);
    // Everything that the job sent before is worked off again, with the snapshots that it needs.
    const [one] = await eventually(
      () => sqlRows<Rows>(again, rowsOf(jobRun)),
      ([row]) => row!.n >= written!.n,
    );
    expect(one!.n).toBe(one!.u);
    expect(again.log()).not.toMatch(/BlobMissing|there is no blob/);
    expect(await again.stop()).toBe(0);

    // Of a folder that nobody works on, directly.
    const second = scene.path('second');
    expect(await cli(['backup', second, '--data', other])).toMatchObject({ code: 0 });
    expect(await cli(['backup', second, '--data', other])).toMatchObject({ code: 1, err: expect.stringContaining('not empty') });
    for (const name of ['bus/bus.mdb', 'clickhouse/scalars.jsonl.gz', firstBlob(second)]) {
      const broken = scene.path('broken');
      cpSync(second, broken, { recursive: true });
      flip(join(broken, name));
      const target = scene.path('never');
      await expect(restore(broken, target, () => undefined)).rejects.toThrow(join(broken, name));
      expect(existsSync(target)).toBe(false);
      rmSync(broken, { recursive: true });
    }
  },
);

function firstBlob(folder: string): string {
  for (let path = 'blobs'; ;) {
    const [name] = readdirSync(join(folder, path));
    path = `${path}/${name!}`;
    if (statSync(join(folder, path)).isFile()) return path;
  }
}

/** One bit in the middle. */
function flip(path: string): void {
  const file = openSync(path, 'r+');
  const at = Math.floor(statSync(path).size / 2);
  writeSync(file, Buffer.from([0x5a]), 0, 1, at);
  writeSync(file, Buffer.from([0xa5]), 0, 1, at + 1);
  closeSync(file);
}
