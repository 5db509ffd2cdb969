import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { newId } from '#runtime/ids.js';
import type { DeadLetterAnswer, DeadLettersAnswer } from '../events/dead-letters.js';
import { startDashboard, type Harness } from '../testing/harness.js';

describe('dead letters - HTTP', () => {
  const [one, other] = [newId('r'), newId('r')];
  let folder: string;
  let bus: Bus;
  let house: Harness;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'stagewatch-letters-'));
    bus = await openLmdbBus({ path: folder });
    for (const name of ['ledger', 'judge']) await bus.group('records', name);
    await setAside('judge', one, 'first');
    await setAside('judge', other, 'second');
    await setAside('ledger', one, 'third');
    house = await startDashboard({ bus });
  });
  afterEach(async () => {
    await house.close();
    await bus.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function setAside(name: string, run: string, id: string): Promise<void> {
    await bus.publish('records', [{ subject: run, id, body: Buffer.from(`body of ${id}`) }]);
    const group = await bus.group('records', name);
    const lease = await group.take({ maxMessages: 10, maxBytes: 1e6, waitMs: 1000 });
    await lease!.reject(lease!.messages.at(-1)!.position, `${id} is bad`);
    await lease!.release();
  }
  const ask = async <T>(path: string, method = 'GET'): Promise<{ status: number; body: T }> => {
    const response = await fetch(`${house.url}/api/dead-letters${path}`, { method });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as T };
  };
  const list = async (query = ''): Promise<DeadLettersAnswer> => (await ask<DeadLettersAnswer>(query)).body;

  it('the list has what all groups hold, and is narrowed by run and group', async () => {
    const { held, deadLetters } = await list();
    expect(held).toBe(3);
    expect(new Set(deadLetters.map(({ group, run, reason }) => `${group} ${run} ${reason}`))).toEqual(
      new Set([`judge ${one} first is bad`, `judge ${other} second is bad`, `ledger ${one} third is bad`]),
    );
    expect((await list(`?run=${one}`)).deadLetters).toHaveLength(2);
    expect((await list(`?run=${one}&group=ledger`)).deadLetters.map(({ message }) => message)).toEqual(['third']);
    expect(await list('?limit=1')).toMatchObject({ held: 3, deadLetters: { length: 1 } });
  });

  it('one is shown with its content', async () => {
    const [letter] = (await list(`?run=${other}`)).deadLetters;
    const { body } = await ask<DeadLetterAnswer>(`/${letter!.id}`);
    expect(body.deadLetter).toEqual(letter);
    expect(Buffer.from(body.content, 'base64').toString()).toBe('body of second');
  });

  it('retried, it is with its group again; dropped, it is gone; a second time neither is there', async () => {
    const [letter] = (await list(`?run=${other}`)).deadLetters;
    expect(await ask(`/${letter!.id}/retry`, 'POST')).toEqual({ status: 200, body: { retried: true } });
    expect((await list()).held).toBe(2);
    const taken: (string | undefined)[] = [];
    const judge = await bus.group('records', 'judge');
    // The third record waits for the judge, too.
    for (let i = 0; i < 2; i++) {
      taken.push((await judge.take({ maxMessages: 10, maxBytes: 1e6, waitMs: 1000 }))?.messages[0]!.id);
    }
    expect(new Set(taken)).toEqual(new Set(['second', 'third']));
    expect((await ask(`/${letter!.id}/retry`, 'POST')).status).toBe(404);
    const [kept] = (await list(`?group=ledger`)).deadLetters;
    expect((await ask(`/${kept!.id}`, 'DELETE')).status).toBe(204);
    expect((await ask(`/${kept!.id}`, 'DELETE')).status).toBe(404);
    expect((await list()).held).toBe(1);
  });

  it.each([
    [`/nowhere/judge/${one}/1`, 404],
    [`/records/nobody/${one}/1`, 404],
    [`/records/judge/${one}/999`, 404],
    [`/records/judge/..%2f..%2fx/1`, 400],
    [`/records/judge/${one}/-1`, 400],
    [`?run=x`, 400],
    [`?limit=0`, 400],
  ])('%s is refused with %i', async (path, status) => {
    expect((await ask(path)).status).toBe(status);
  });
});
