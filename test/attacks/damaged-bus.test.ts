import { cpSync, closeSync, existsSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createIngestClient } from '#wire/client.js';
import { attach, Talk } from '../../apps/collector/testing/talk.js';
import { Scene } from '../support/scene.js';
import { eventually, freePorts, sqlRows } from '../support/service-process.js';

const scene = new Scene();
afterAll(() => scene.close());

const before = scene.path('before');
const copyEveryMs = '200';
const sent = 300;
let stranger: Awaited<ReturnType<typeof attach>>;

const points = (step: number) => ({ names: ['loss.train'], nameIndex: [0], steps: [step], values: [step / 2] });

/** A data folder that has been used, and has copies of its bus. */
beforeAll(async () => {
  const service = await scene.service({ dataDir: before, env: { STAGEWATCH_BUS_COPY_EVERY_MS: copyEveryMs } });
  const client = createIngestClient({ address: service.address });
  stranger = await attach(client, { name: 'by hand' });
  const talk = new Talk(client, stranger);
  for (let sequence = 1; sequence <= sent; sequence++) talk.send({ sequence, step: sequence, scalars: points(sequence) });
  await talk.untilAcknowledged(sent);
  await eventually(
    () => sqlRows<{ n: number }>(service, 'SELECT toUInt32(count()) AS n FROM scalars'),
    ([row]) => row!.n === sent,
  );
  // One more interval, so that the newest copy knows all of it.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await talk.end();
  client.close();
  await service.stop();
}, 120_000);

function noise(path: string, from: number, bytes: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, randomBytes(bytes), 0, bytes, from);
  closeSync(file);
}

const damages: readonly (readonly [string, (path: string) => void, RegExp])[] = [
  ['cut in half', (path) => truncateSync(path, Math.floor(statSync(path).size / 2)), /its end is missing/],
  ['empty', (path) => truncateSync(path, 0), /it ends after 0 bytes/],
  ['without a beginning', (path) => noise(path, 0, 8192), /first page is not one of LMDB/],
  ['full of noise behind the beginning', (path) => noise(path, 8192, statSync(path).size - 8192), /is damaged/],
  ['gone', (path) => rmSync(join(path, '..'), { recursive: true }), /is missing/],
];

it.each(damages)(
  'a bus file that is %s ends in a sentence, and a copy of it can be taken',
  async (name, damage, sentence) => {
    const dataDir = scene.path(name.replaceAll(' ', '-'));
    cpSync(before, dataDir, { recursive: true });
    const path = join(dataDir, 'bus/bus.mdb');
    damage(path);
    const ports = await freePorts();
    const refused = scene.launch({ ports, dataDir });
    // No signal: those are 128 and more.
    const ready = refused.ready.then(
      () => 'ready',
      () => refused.exited,
    );
    expect(await ready).toBe(1);
    expect(refused.log()).toContain(path);
    expect(refused.log()).toMatch(sentence);
    expect(refused.log()).toContain('--restore-bus');

    const service = scene.launch({ ports, dataDir, flags: ['--restore-bus'] });
    await service.ready;
    const aside = readdirSync(join(dataDir, 'bus')).filter((file) => file.startsWith('damaged-'));
    expect(aside).toHaveLength(name === 'gone' ? 0 : 1);
    // The writer goes on where the copy was, and its newest state wins over the rows of before.
    const client = createIngestClient({ address: service.address });
    const talk = await new Talk(client, stranger).until((answers) => answers.length > 0);
    expect(talk.answers[0]?.welcome?.nextSequence).toBe(sent + 1);
    for (let sequence = 1; sequence <= sent + 1; sequence++) talk.send({ sequence, step: sequence, scalars: points(sequence) });
    talk.send({ sequence: sent + 2, step: sent + 2, end: { status: 'finished' } });
    await talk.untilAcknowledged(sent + 2);
    const [row] = await eventually(
      () => sqlRows<{ n: number; s: string }>(service, `SELECT toUInt32(count()) AS n, any(status) AS s FROM scalars, runs`),
      ([found]) => found?.s === 'finished' && found.n >= sent + 1,
    );
    expect(row).toEqual({ n: sent + 1, s: 'finished' });
    client.close();
    expect(await service.stop()).toBe(0);
    expect(existsSync(path)).toBe(true);
  },
  120_000,
);
