import { io, type Socket } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newId } from '#runtime/ids.js';
import { sleep } from '#runtime/retry.js';
import type { ClientEvents, Frame, ResetNotice, ServerEvents, SubscribeAnswer, SubscribeRequest } from './events/live.js';
import { startDashboard, type Harness } from './testing/harness.js';
import { MemoryBus } from './testing/memory-bus.js';
import { line, Recorder } from './testing/recorder.js';

type Client = Socket<ServerEvents, ClientEvents>;

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await sleep(10);
  }
}

describe('dashboard - live', () => {
  let house: Harness;
  let recorder: Recorder;
  let client: Client;
  let frames: Frame[];
  let resets: ResetNotice[];
  let acknowledge: boolean;

  const subscribe = (request: SubscribeRequest): Promise<SubscribeAnswer> => client.emitWithAck('subscribe', request);
  const steps = (): number[] => frames.flatMap((frame) => frame.series?.flatMap((delta) => delta.steps) ?? []);
  const connect = (): Client => {
    const socket: Client = io(house.url, { transports: ['websocket'], forceNew: true, reconnection: false });
    socket.on('frame', (frame, received) => {
      frames.push(frame);
      if (acknowledge) received();
    });
    socket.on('reset', (notice) => resets.push(notice));
    return socket;
  };

  beforeEach(async () => {
    house = await startDashboard({ bus: new MemoryBus({ keep: 50 }) });
    recorder = new Recorder(house.bus, house.store);
    frames = [];
    resets = [];
    acknowledge = true;
    client = connect();
  });
  afterEach(async () => {
    client.disconnect();
    await house.close();
  });

  test('a run - everything after the subscription, aggregated, with the cursor', async () => {
    const answer = await subscribe({ view: 1, run: recorder.run.run });
    expect(answer).toMatchObject({ ok: true, view: 1, cursor: 0, resumed: true });
    const other = new Recorder(house.bus, house.store);
    await other.series(line('loss.train', [99], [1]));
    for (let step = 0; step < 20; step++) await recorder.series(line('loss.train', [step], [step === 7 ? 'nan' : step]));
    await recorder.finding({ kind: 'stage', step: 3, to: 'edge', text: 'edge' });
    await until('all points came', () => steps().length === 20 && frames.at(-1)!.cursor === 22);
    expect(steps()).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(frames.length).toBeLessThan(20);
    expect(frames.flatMap((frame) => frame.findings ?? []).map(({ to }) => to)).toEqual(['edge']);
    expect(frames.every(({ view }) => view === 1)).toBe(true);
  });

  test('the list - rows only, and what is gone', async () => {
    await subscribe({ view: 1 });
    await recorder.update({ step: 1 });
    await recorder.series(line('loss.train', [1], [1]));
    await recorder.update({ step: 2 });
    await until('the newest row came', () => frames.at(-1)?.runs?.[0]?.step === 2);
    await recorder.deleted();
    await until('the deletion came', () => frames.at(-1)?.deleted?.[0] === recorder.run.run);
    expect(steps()).toEqual([]);
  });

  test('a cursor - what was missed comes, once, and then what follows', async () => {
    const answer = await subscribe({ view: 1, run: recorder.run.run });
    await recorder.series(line('loss.train', [1], [1]));
    await until('the first point', () => steps().length === 1);
    const { cursor } = frames.at(-1)!;
    client.disconnect();
    await recorder.series(line('loss.train', [2], [1]));
    await new Recorder(house.bus, house.store).series(line('loss.train', [77], [1]));
    client = connect();
    const resumed = await subscribe({ view: 2, run: recorder.run.run, cursor, epoch: (answer as { epoch: string }).epoch });
    expect(resumed).toMatchObject({ ok: true, resumed: true, cursor });
    await recorder.series(line('loss.train', [3], [1]));
    await until('what was missed and what follows', () => steps().includes(2) && steps().includes(3));
    expect(steps()).toEqual([1, 2, 3]);
  });

  test('a cursor that fell off the end, of another folder, or from the future cannot be resumed', async () => {
    const first = await subscribe({ view: 1, run: recorder.run.run });
    const { epoch } = first as { epoch: string };
    for (let step = 0; step < 80; step++) await recorder.series(line('loss.train', [step], [1]));
    await until('all came', () => steps().length === 80);
    for (const request of [{ cursor: 5, epoch }, { cursor: 80, epoch: 'another' }, { cursor: 80 }, { cursor: 5000, epoch }]) {
      expect(await subscribe({ view: 2, run: recorder.run.run, ...request })).toMatchObject({
        ok: true,
        resumed: false,
        cursor: 80,
      });
    }
    expect(await subscribe({ view: 3, run: recorder.run.run, cursor: 60, epoch })).toMatchObject({ resumed: true, cursor: 60 });
  });

  test('a new subscription takes the place of the old one', async () => {
    const other = new Recorder(house.bus, house.store);
    await subscribe({ view: 1, run: recorder.run.run });
    await subscribe({ view: 2, run: other.run.run });
    await recorder.series(line('loss.train', [1], [1]));
    await other.series(line('loss.train', [2], [1]));
    await until('the other run came', () => steps().length > 0);
    await sleep(300);
    expect(steps()).toEqual([2]);
    expect(frames.at(-1)!.view).toBe(2);
  });

  test('a client that takes nothing is told to begin anew, and nothing more is kept for it', async () => {
    acknowledge = false;
    await subscribe({ view: 4, run: recorder.run.run });
    const many = Array.from({ length: 30_000 }, (_, i) => i);
    for (let round = 0; round < 4; round++) {
      const before = frames.length;
      await recorder.series(line('loss.train', many, many));
      await until('a frame or the end', () => frames.length > before || resets.length > 0);
    }
    expect(resets).toEqual([{ view: 4, reason: 'too-slow' }]);
    expect(frames).toHaveLength(3);
    const before = frames.length;
    await recorder.series(line('loss.train', [1], [1]));
    await sleep(400);
    expect(frames).toHaveLength(before);
  });

  test('more between two frames than a history would be - a reset instead of a flood', async () => {
    await subscribe({ view: 5, run: recorder.run.run });
    const many = Array.from({ length: 60_000 }, (_, i) => i);
    await recorder.series(line('loss.train', many, many));
    await until('the reset', () => resets.length === 1);
    expect(resets).toEqual([{ view: 5, reason: 'too-much' }]);
    expect(frames).toEqual([]);
  });

  test('what is no subscription is refused with the field; the socket lives on', async () => {
    const refused = (await client.emitWithAck('subscribe', { view: 1, run: '../x' })) as { ok: false; error: object };
    expect(refused).toMatchObject({ ok: false, error: { code: 'INVALID_ARGUMENT', field: 'subscribe.run' } });
    expect(await client.emitWithAck('subscribe', 'nonsense' as never)).toMatchObject({ ok: false });
    expect(await subscribe({ view: 1, run: newId('r') })).toMatchObject({ ok: true });
  });
});

test('dashboard - live: logging out hangs up on that browser, and on no other', async () => {
  const token = 'a-token-of-some-length';
  const house = await startDashboard({}, { STAGEWATCH_TOKEN: token });
  const logIn = async (): Promise<string> => {
    const answer = await fetch(`${house.url}/?token=${token}`, { redirect: 'manual' });
    return answer.headers.get('set-cookie')!.split(';')[0]!;
  };
  const cookies = [await logIn(), await logIn()];
  const sockets = cookies.map((cookie): Client =>
    io(house.url, { transports: ['websocket'], forceNew: true, reconnection: false, extraHeaders: { cookie } }),
  );
  await until('both are connected', () => sockets.every((socket) => socket.connected));
  await fetch(`${house.url}/api/session`, { method: 'DELETE', headers: { cookie: cookies[0]! } });
  await until('one is disconnected', () => !sockets[0]!.connected);
  expect(await sockets[1]!.emitWithAck('subscribe', { view: 1 })).toMatchObject({ ok: true });
  for (const socket of sockets) socket.disconnect();
  await house.close();
});
