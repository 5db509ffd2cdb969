import { execFileSync } from 'node:child_process';
import { mkdirSync, openSync, closeSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createIngestClient } from '#wire/client.js';
import { attach, Talk } from '../../apps/collector/testing/talk.js';
import { leftOut } from '../support/needs.js';
import { runPicture } from '../support/run-picture.js';
import { Scene } from '../support/scene.js';
import { eventually, freePorts, sqlRows } from '../support/service-process.js';

const mib = 1024 ** 2;
const scene = new Scene();
const disk = scene.path('disk');
const mounted = mountDisk();
afterAll(() => scene.close());

/** A disk of its own, small enough to be filled. */
function mountDisk(): boolean {
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    leftOut('a full disk under the whole service', 'the right to mount a tmpfs');
    return false;
  }
  // Lazily: what a process that was killed held open is given back a moment later.
  scene.atEnd(() => execFileSync('umount', ['--lazy', disk]));
  return true;
}

/** Takes all the room there is. */
function fillDisk(): void {
  const file = openSync(join(disk, 'ballast'), 'w');
  try {
    for (let bytes = 1 << 20; bytes >= 4096;) {
      try {
        if (writeSync(file, Buffer.alloc(bytes)) < bytes) bytes /= 2;
      } catch {
        bytes /= 2;
      }
    }
  } finally {
    closeSync(file);
  }
}

const freeBytes = (): number => statfsSync(disk).bavail * statfsSync(disk).bsize;

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

it.skipIf(!mounted)(
  'disk full while a job streams: said to the probe, waited for, and nothing that was acknowledged is lost',
  { timeout: 180_000 },
  async () => {
    const ports = await freePorts();
    const service = await scene.service({ ports, dataDir: join(disk, 'data') });
    const steps = 600;
    const job = scene.nodeJob({ address: service.address, steps, paced: true, pauseMs: 2, snapshotEvery: 5 });
    const run = await job.run;
    job.allow(149);
    await job.untilStep(149);
    // Its model is looked at before its first record is sent, which takes seconds on a crowded machine.
    await eventually(
      () => metric(service.url, 'stagewatch_records_acknowledged_total'),
      (count) => count > 0,
      60_000,
    );
    const client = createIngestClient({ address: service.address });
    scene.atEnd(() => client.close());
    const stranger = await attach(client, { name: 'by hand' });
    const talk = new Talk(client, stranger);

    // Full under a job that streams on, however fast it is, and under somebody who counts what was acknowledged.
    job.allow(299);
    while (freeBytes() > 0) fillDisk();
    job.allow(449);
    for (let sequence = 1; !(await isOver(talk)); sequence++) {
      talk.send({ sequence, step: sequence, scalars: points(sequence) });
      await Promise.race([talk.untilAcknowledged(sequence).catch(() => undefined), talk.ended]);
    }
    expect(await talk.ended).toMatchObject({ code: 'STORAGE_FULL', retryable: true, retryAfterMs: expect.any(Number) });
    const acknowledged = talk.acknowledged();
    await job.untilStep(449);
    await eventually(
      () => metric(service.url, 'stagewatch_records_rejected_total{code="STORAGE_FULL"}'),
      (count) => count > 1,
    );
    // It lives, and says what is wrong.
    const readiness = await fetch(`${service.url}/readyz`);
    expect(readiness.status).toBe(503);
    expect(await readiness.text()).toMatch(/bytes left on the disk/);
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    expect(await service.stop('SIGTERM')).toBe(0);
    const stillFull = scene.launch({ ports, dataDir: join(disk, 'data') });
    await Promise.race([stillFull.ready.catch(() => undefined), stillFull.exited]);
    expect(stillFull.log()).toMatch(/bytes left on the disk|no space left/);
    await stillFull.kill();

    execFileSync('mount', ['-o', 'remount,size=256m', disk]);
    const again = await scene.service({ ports, dataDir: join(disk, 'data') });
    const rest = await new Talk(client, stranger).until((answers) => answers.length > 0);
    expect(rest.answers[0]?.welcome?.nextSequence).toBe(acknowledged + 1);
    rest.send({ sequence: acknowledged + 1, step: acknowledged + 1, end: { status: 'finished' } });
    await rest.untilAcknowledged(acknowledged + 1);
    expect(await rest.end()).toBeUndefined();
    const byHand = await runPicture(again, stranger.runId, acknowledged);
    expect([...byHand.scalars.keys()]).toEqual(Array.from({ length: acknowledged }, (_, i) => `loss.train ${i + 1}`));
    expect(byHand.rows).toBe(acknowledged);

    job.release();
    const end = await job.exited;
    expect(end).toMatchObject({ code: 0, steps, delivered: true });
    expect(end.errors).toMatch(/STORAGE_FULL/);
    const picture = await runPicture(again, run, 4 * steps);
    expect(picture).toMatchObject({ status: 'finished', rows: 4 * steps, identities: 4 * steps });
    expect(picture.findings.filter((finding) => /^(gap|lost|resumed) /.test(finding))).toEqual([]);
    expect([...picture.readings.keys()].filter((at) => at.startsWith('sharpness  '))).toHaveLength(steps / 5);
    expect(await again.stop()).toBe(0);
  },
);

it.skipIf(!mounted)(
  'with 23 MB free: nothing is taken in, what waits is finished, runs can be deleted, and all goes on without a restart',
  { timeout: 240_000 },
  async () => {
    execFileSync('mount', ['-o', 'remount,size=512m', disk]);
    const ballast = join(disk, 'others');
    const ports = await freePorts();
    const service = await scene.service({ ports, dataDir: join(disk, 'second') });
    const client = createIngestClient({ address: service.address });
    scene.atEnd(() => client.close());
    const old = await attach(client, { name: 'to be deleted' });
    const gone = new Talk(client, old);
    gone.send({ sequence: 1, step: 1, scalars: points(1) }, { sequence: 2, step: 2, end: { status: 'finished' } });
    await gone.untilAcknowledged(2);
    await runPicture(service, old.runId, 1);
    // A job with snapshots, so that findings, trackers and rows all need room to be finished.
    const steps = 60;
    const job = scene.nodeJob({ address: service.address, steps, paced: true, pauseMs: 1, snapshotEvery: 5 });
    const run = await job.run;
    const stranger = await attach(client, { name: 'by hand' });
    const talk = new Talk(client, stranger);
    job.allow(30);
    await job.untilStep(30);
    leaveFree(ballast, 23 * mib);
    // Somebody else takes what the service gave away, too.
    const keepFull = setInterval(() => leaveFree(ballast, 23 * mib), 100);
    scene.atEnd(() => clearInterval(keepFull));
    let acknowledged = 0;
    for (let sequence = 1; !(await isOver(talk)); sequence++) {
      talk.send({ sequence, step: sequence, scalars: points(sequence) });
      await Promise.race([talk.untilAcknowledged(sequence).catch(() => undefined), talk.ended]);
      acknowledged = talk.acknowledged();
    }
    expect(await talk.ended).toMatchObject({ code: 'STORAGE_FULL', retryable: true, retryAfterMs: expect.any(Number) });
    await eventually(
      () => metric(service.url, 'stagewatch_queue_depth'),
      (depth) => depth === 0,
      60_000,
    );
    const [rows] = await sqlRows<{ n: number }>(
      service,
      `SELECT toUInt32(count()) AS n FROM scalars WHERE run = '${stranger.runId}'`,
    );
    expect(rows!.n).toBe(acknowledged);
    const deletion = await fetch(`${service.url}/api/runs/${old.runId}`, { method: 'DELETE' });
    expect(deletion.status).toBe(204);

    clearInterval(keepFull);
    rmSync(ballast);
    const rest = await eventually(
      async () => {
        const again = new Talk(client, stranger);
        again.send({ sequence: acknowledged + 1, step: acknowledged + 1, end: { status: 'finished' } });
        return (await again.untilAcknowledged(acknowledged + 1).catch(() => undefined))?.end();
      },
      (refused) => refused === undefined,
    );
    expect(rest).toBeUndefined();
    expect((await runPicture(service, stranger.runId, acknowledged)).rows).toBe(acknowledged);
    job.allow(steps);
    job.release();
    expect(await job.exited).toMatchObject({ code: 0, steps, delivered: true });
    expect(await runPicture(service, run, 4 * steps)).toMatchObject({ status: 'finished', rows: 4 * steps });
    expect(await service.stop()).toBe(0);
  },
);

/** A file of somebody else grows until only so much is left. */
function leaveFree(path: string, bytes: number): void {
  const file = openSync(path, 'a');
  try {
    for (let excess = freeBytes() - bytes; excess > 0; excess = freeBytes() - bytes) {
      writeSync(file, Buffer.alloc(Math.min(excess, 4 * mib)));
    }
  } finally {
    closeSync(file);
  }
}

function isOver(talk: Talk): Promise<boolean> {
  return Promise.race([talk.ended.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);
}

function points(step: number) {
  return { names: ['loss.train'], nameIndex: [0], steps: [step], values: [step / 2] };
}
