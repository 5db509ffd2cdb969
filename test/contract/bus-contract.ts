import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LeaseLost, type Bus, type Group, type Lease, type Message, type StreamOptions } from '#bus/bus.js';

/** One installation of a bus: it can be left and opened again, and what is durable is still there. */
export interface BusHome {
  open(): Promise<Bus>;
  /** Leaves without a word to workers: no lease is released. */
  leave(bus: Bus): Promise<void>;
  destroy(): Promise<void>;
}

export interface BusContract {
  readonly name: string;
  readonly create: (streams: Readonly<Record<string, StreamOptions>>) => Promise<BusHome>;
}

const streams = {
  work: { retention: 'work' },
  other: { retention: 'work' },
  recent: { retention: 'recent', maxMessages: 100 },
} as const satisfies Record<string, StreamOptions>;

const leaseMs = 300;

/** What every bus must do; run by each implementation with its real server or files. */
export function busContract(contract: BusContract): void {
  describe(`bus contract - ${contract.name}`, () => {
    let home: BusHome;
    let bus: Bus;

    beforeEach(async () => {
      home = await contract.create(streams);
      bus = await home.open();
    });
    afterEach(async () => {
      await bus.close();
      await home.destroy();
    });

    const reopen = async (): Promise<void> => {
      await home.leave(bus);
      bus = await home.open();
    };
    const publish = (subject: string, ids: readonly string[], stream = 'work') =>
      bus.publish(
        stream,
        ids.map((id) => ({ subject, id, body: Buffer.from(`${subject}:${id}`) })),
      );
    const collect = async (
      after: number,
      count: number,
      options: { stream?: string; subject?: string } = {},
    ): Promise<Message[]> => {
      const found: Message[] = [];
      if (count === 0) return found;
      const signal = AbortSignal.timeout(10_000);
      const { stream = 'work', ...rest } = options;
      for await (const message of bus.tail(stream, { after, signal, ...rest })) if (found.push(message) >= count) break;
      return found;
    };

    describe('publishing', () => {
      test('positions grow and messages come back as they were sent', async () => {
        const before = Date.now();
        const results = await publish('a', ['1', '2', '3']);
        expect(results.map((result) => result.duplicate)).toEqual([false, false, false]);
        const messages = await collect(0, 3);
        expect(messages.map((message) => message.position)).toEqual(results.map((result) => result.position));
        expect(messages.map((message) => `${message.subject} ${message.id} ${text(message.body)}`)).toEqual([
          'a 1 a:1',
          'a 2 a:2',
          'a 3 a:3',
        ]);
        expect(messages.every((message) => message.timeMs >= before - 1 && message.timeMs <= Date.now() + 1)).toBe(true);
        expect(await bus.head('work')).toBe(results.at(-1)!.position);
      });

      test('a call without messages does nothing', async () => {
        expect(await bus.publish('work', [])).toEqual([]);
        expect(await bus.head('work')).toBe(0);
      });

      test('empty and large bodies survive', async () => {
        const large = Buffer.alloc(700_000, 'x');
        await bus.publish('work', [
          { subject: 'a', id: 'empty', body: new Uint8Array() },
          { subject: 'a', id: 'large', body: large },
        ]);
        const [first, second] = await collect(0, 2);
        expect(first!.body.length).toBe(0);
        expect(Buffer.compare(second!.body, large)).toBe(0);
      });

      test('an id is known within its subject, in one call, over calls, and after a restart', async () => {
        const [first, twin] = await publish('a', ['1', '1']);
        expect(twin).toEqual({ position: first!.position, duplicate: true });
        expect(await publish('a', ['1'])).toEqual([twin]);
        expect((await publish('b', ['1']))[0]!.duplicate).toBe(false);
        await reopen();
        expect(await publish('a', ['1'])).toEqual([twin]);
        expect(await collect(0, 2)).toHaveLength(2);
      });

      test('two publishers of the same messages at the same time store them once', async () => {
        const ids = Array.from({ length: 50 }, (_, i) => `${i}`);
        const answers = await Promise.all([publish('a', ids), publish('a', ids), publish('a', ids)]);
        expect(answers.flat().filter((result) => !result.duplicate)).toHaveLength(50);
        expect((await collect(0, 50)).map((message) => message.id).sort()).toEqual(ids.toSorted());
      });

      test('an id stays known for a while after its message is gone', async () => {
        const group = await bus.group('work', 'g');
        await publish('a', ['1', '2']);
        await finish(group);
        await reopen();
        expect((await publish('a', ['1', '2'])).every((result) => result.duplicate)).toBe(true);
        expect((await (await bus.group('work', 'g')).depth()).messages).toBe(0);
      });

      test('calls that are not awaited keep their order', async () => {
        const ids = Array.from({ length: 40 }, (_, i) => `${i}`);
        await Promise.all(ids.map((id) => publish('a', [id])));
        expect((await collect(0, 40)).map((message) => message.id)).toEqual(ids);
      });

      test('a subject or id that is empty or too long is refused', async () => {
        await expect(publish('', ['1'])).rejects.toThrow(RangeError);
        await expect(publish('a', [''])).rejects.toThrow(RangeError);
        await expect(publish('a', ['x'.repeat(201)])).rejects.toThrow(RangeError);
      });
    });

    describe('groups', () => {
      test('a subject is handed out in order, and goes on where it was committed', async () => {
        const group = await bus.group('work', 'g', { leaseMs });
        await publish('a', ['1', '2', '3']);
        const lease = await take(group, { maxMessages: 2 });
        expect(ids(lease)).toEqual(['1', '2']);
        await lease.commit(lease.messages[0]!.position, Buffer.from('one'));
        await lease.release();
        const next = await take(group);
        expect(ids(next)).toEqual(['2', '3']);
        expect(text(next.state!)).toBe('one');
        expect(text((await group.state('a'))!)).toBe('one');
      });

      test('a lease holds at least one message, whatever maxBytes says', async () => {
        const group = await bus.group('work', 'g');
        await publish('a', ['1', '2', '3']);
        expect(ids(await take(group, { maxBytes: 1 }))).toEqual(['1']);
      });

      test('nobody waits for what is not there, and everybody hears of what comes', async () => {
        const group = await bus.group('work', 'g');
        expect(await group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 20 })).toBeUndefined();
        const waiting = group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 10_000 });
        await publish('a', ['1']);
        expect(ids((await waiting)!)).toEqual(['1']);
      });

      test('an aborted take answers undefined and takes nothing', async () => {
        const group = await bus.group('work', 'g');
        const stopping = new AbortController();
        const waiting = group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 10_000, signal: stopping.signal });
        stopping.abort();
        expect(await waiting).toBeUndefined();
        await publish('a', ['1']);
        expect(ids(await take(group))).toEqual(['1']);
      });

      test('two workers never hold one subject', async () => {
        const group = await bus.group('work', 'g', { leaseMs: 20_000 });
        const subjects = ['a', 'b', 'c'];
        const perSubject = 40;
        const held = new Set<string>();
        const seen: Record<string, string[]> = { a: [], b: [], c: [] };
        const worker = async (): Promise<void> => {
          for (;;) {
            const lease = await group.take({ maxMessages: 3, maxBytes: 10_000, waitMs: 400 });
            if (lease === undefined) return;
            expect(held.has(lease.subject)).toBe(false);
            held.add(lease.subject);
            seen[lease.subject]!.push(...ids(lease));
            await delay(1);
            await lease.commit(lease.messages.at(-1)!.position);
            held.delete(lease.subject);
            await lease.release();
          }
        };
        const workers = [worker(), worker(), worker(), worker()];
        for (let i = 0; i < perSubject; i++) await Promise.all(subjects.map((subject) => publish(subject, [`${i}`])));
        await Promise.all(workers);
        const expected = Array.from({ length: perSubject }, (_, i) => `${i}`);
        expect(seen).toEqual({ a: expected, b: expected, c: expected });
      });

      test('the longest waiting subject is first', async () => {
        const group = await bus.group('work', 'g');
        for (const subject of ['c', 'a', 'b']) await publish(subject, ['1', '2']);
        const first = await take(group, { maxMessages: 1 });
        expect(first.subject).toBe('c');
        await first.commit(first.messages[0]!.position);
        await first.release();
        expect([(await take(group)).subject, (await take(group)).subject, (await take(group)).subject]).toEqual(['a', 'b', 'c']);
      });

      test('two groups do not disturb each other', async () => {
        const one = await bus.group('work', 'one');
        const two = await bus.group('work', 'two');
        await publish('a', ['1']);
        await finish(one, 'state of one');
        expect((await one.depth()).messages).toBe(0);
        expect((await two.depth()).messages).toBe(1);
        expect(await two.state('a')).toBeUndefined();
        expect(ids(await take(two))).toEqual(['1']);
      });

      test('depth counts messages and dates the oldest', async () => {
        const group = await bus.group('work', 'g');
        expect(await group.depth()).toEqual({ messages: 0, oldestTimeMs: undefined });
        await publish('a', ['1', '2']);
        await publish('b', ['1']);
        const [oldest] = await collect(0, 1);
        expect(await group.depth()).toEqual({ messages: 3, oldestTimeMs: oldest!.timeMs });
        await reopen();
        const again = await bus.group('work', 'g');
        expect(await again.depth()).toEqual({ messages: 3, oldestTimeMs: oldest!.timeMs });
        await finish(again);
        expect(await again.depth()).toEqual({ messages: 0, oldestTimeMs: undefined });
      });
    });

    describe('leases', () => {
      test('when one expires, the next worker gets the work and the old one can save nothing', async () => {
        const group = await bus.group('work', 'g', { leaseMs });
        await publish('a', ['1']);
        const slow = await take(group);
        const next = await take(group, { waitMs: leaseMs * 20 });
        expect(ids(next)).toEqual(['1']);
        expect(next.deliveries).toBe(2);
        await expect(slow.commit(slow.messages[0]!.position, Buffer.from('stale'))).rejects.toBeInstanceOf(LeaseLost);
        await expect(slow.extend()).rejects.toBeInstanceOf(LeaseLost);
        await expect(slow.reject(slow.messages[0]!.position, 'stale')).rejects.toBeInstanceOf(LeaseLost);
        expect(await group.state('a')).toBeUndefined();
        expect(await group.deadLetters()).toEqual([]);
        await slow.release();
        await next.commit(next.messages[0]!.position, Buffer.from('fresh'));
        expect(text((await group.state('a'))!)).toBe('fresh');
      });

      test('an expired lease saves nothing even if nobody else wanted the subject', async () => {
        const group = await bus.group('work', 'g', { leaseMs });
        await publish('a', ['1']);
        const slow = await take(group);
        await delay(leaseMs * 2);
        await expect(slow.commit(slow.messages[0]!.position, Buffer.from('stale'))).rejects.toBeInstanceOf(LeaseLost);
        expect(await group.state('a')).toBeUndefined();
        expect((await group.depth()).messages).toBe(1);
      });

      test('a worker that blocked its process beyond the lease saves nothing', async () => {
        const group = await bus.group('work', 'g', { leaseMs });
        await publish('a', ['1']);
        const slow = await take(group);
        const until = performance.now() + leaseMs * 1.5;
        while (performance.now() < until);
        await expect(slow.commit(slow.messages[0]!.position, Buffer.from('stale'))).rejects.toBeInstanceOf(LeaseLost);
        expect(await group.state('a')).toBeUndefined();
      });

      test('extending keeps a lease beyond its time', async () => {
        const group = await bus.group('work', 'g', { leaseMs });
        await publish('a', ['1']);
        const lease = await take(group);
        for (let i = 0; i < 6; i++) {
          await delay(leaseMs / 3);
          await lease.extend();
        }
        expect(await group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 10 })).toBeUndefined();
        await lease.commit(lease.messages[0]!.position);
        expect((await group.depth()).messages).toBe(0);
      });

      test('released with a delay, a subject rests', async () => {
        const group = await bus.group('work', 'g');
        await publish('a', ['1']);
        const lease = await take(group);
        await lease.release(400);
        expect(await group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 50 })).toBeUndefined();
        expect(ids(await take(group, { waitMs: 10_000 }))).toEqual(['1']);
      });

      test('a commit beyond the messages of the lease is refused', async () => {
        const group = await bus.group('work', 'g');
        await publish('a', ['1', '2']);
        const lease = await take(group, { maxMessages: 1 });
        await expect(lease.commit(lease.messages[0]!.position + 1)).rejects.toThrow(RangeError);
        expect((await group.depth()).messages).toBe(2);
      });
    });

    describe('crashes', () => {
      test('between publish and commit the message comes again, with the old state', async () => {
        let group = await bus.group('work', 'g', { leaseMs: 60_000 });
        await publish('a', ['1', '2']);
        const first = await take(group, { maxMessages: 1 });
        await first.commit(first.messages[0]!.position, Buffer.from('after 1'));
        await first.release();
        const second = await take(group);
        expect(ids(second)).toEqual(['2']);
        await reopen();
        group = await bus.group('work', 'g', { leaseMs: 60_000 });
        const again = await take(group);
        expect(ids(again)).toEqual(['2']);
        expect(again.deliveries).toBe(2);
        expect(text(again.state!)).toBe('after 1');
      });

      test('poison becomes a dead letter with its reason, and what follows goes on', async () => {
        let group = await bus.group('work', 'g', { leaseMs: 60_000, maxDeliveries: 3 });
        await publish('a', ['poison', 'good']);
        for (let delivery = 1; delivery <= 3; delivery++) {
          const lease = await take(group);
          expect([ids(lease), lease.deliveries]).toEqual([['poison', 'good'], delivery]);
          await reopen();
          group = await bus.group('work', 'g', { leaseMs: 60_000, maxDeliveries: 3 });
        }
        const next = await take(group);
        expect([ids(next), next.deliveries]).toEqual([['good'], 1]);
        const [letter] = await group.deadLetters();
        expect([letter!.message.id, text(letter!.message.body), letter!.message.subject]).toEqual(['poison', 'a:poison', 'a']);
        expect(letter!.reason).toContain('3');
      });

      test('a commit starts the count of deliveries again', async () => {
        const group = await bus.group('work', 'g', { maxDeliveries: 2 });
        await publish('a', ['1', '2', '3', '4']);
        for (const id of ['1', '2', '3', '4']) {
          const lease = await take(group);
          expect([lease.messages[0]!.id, lease.deliveries]).toEqual([id, 1]);
          await lease.commit(lease.messages[0]!.position);
          await lease.release();
        }
        expect(await group.deadLetters()).toEqual([]);
      });

      test('a rejected message is set aside with the state of the one who knew', async () => {
        const group = await bus.group('work', 'g');
        await publish('a', ['1', '2', '3']);
        const lease = await take(group);
        await lease.reject(lease.messages[1]!.position, 'unreadable', Buffer.from('past 2'));
        await lease.release();
        const [letter] = await group.deadLetters();
        expect([letter!.message.id, letter!.reason]).toEqual(['2', 'unreadable']);
        const next = await take(group);
        expect([ids(next), text(next.state!)]).toEqual([['3'], 'past 2']);
      });
    });

    describe('retention', () => {
      test('a work message is kept until the last group is past it', async () => {
        const one = await bus.group('work', 'one');
        const two = await bus.group('work', 'two');
        await publish('a', ['1', '2']);
        await finish(one);
        expect(await bus.floor('work')).toBe(0);
        expect(await collect(0, 2)).toHaveLength(2);
        await finish(two);
        expect(await bus.floor('work')).toBe(await bus.head('work'));
      });

      test('a group declared later starts at the oldest message that is kept', async () => {
        const one = await bus.group('work', 'one');
        await publish('a', ['1']);
        await finish(one);
        await publish('a', ['2']);
        await publish('b', ['1']);
        const late = await bus.group('work', 'late');
        expect((await late.depth()).messages).toBe(2);
        await finish(one);
        await reopen();
        const again = await bus.group('work', 'late');
        expect((await again.depth()).messages).toBe(2);
        expect([ids(await take(again)), ids(await take(again))]).toEqual([['2'], ['1']]);
      });

      test('positions go on after everything was finished and the bus was opened again', async () => {
        const group = await bus.group('work', 'g');
        const [first] = await publish('a', ['1']);
        await finish(group);
        await reopen();
        const [second] = await publish('a', ['2']);
        expect(second!.position).toBeGreaterThan(first!.position);
        expect(await bus.head('work')).toBe(second!.position);
      });

      test('of a recent stream the newest are kept, and the floor says what is gone', async () => {
        for (let i = 0; i < 30; i++)
          await publish(
            `s${i % 3}`,
            Array.from({ length: 20 }, (_, k) => `${i}.${k}`),
            'recent',
          );
        await eventually(async () => expect(await bus.floor('recent')).toBeGreaterThan(400));
        const [floor, head] = [await bus.floor('recent'), await bus.head('recent')];
        expect(head - floor).toBeGreaterThanOrEqual(100);
        const left = await collect(0, head - floor, { stream: 'recent' });
        expect(left[0]!.position).toBe(floor + 1);
        expect(left.at(-1)!.position).toBe(head);
      });
    });

    describe('tails', () => {
      test('from a cursor everything comes, old and new, none missing and none twice, while others publish', async () => {
        await publish('a', ['before']);
        const cursor = await bus.head('work');
        const publishers = 4;
        const each = 50;
        const total = publishers * each;
        const tails = [collect(cursor, total), collect(cursor, total)];
        const results = await Promise.all(
          Array.from({ length: publishers }, async (_, p) => {
            const mine = [];
            for (let i = 0; i < each; i++) mine.push(...(await publish(`p${p}`, [`${i}`])));
            return mine;
          }),
        );
        const positions = results.flat().map((result) => result.position);
        const late = await collect(cursor, total);
        for (const tail of [...(await Promise.all(tails)), late]) {
          expect(tail.map((message) => message.position)).toEqual(positions.toSorted((a, b) => a - b));
        }
      });

      test('of one subject only its messages come', async () => {
        const wanted = collect(0, 3, { subject: 'b' });
        for (const id of ['1', '2', '3']) for (const subject of ['a', 'b', 'c']) await publish(subject, [id]);
        expect((await wanted).map((message) => `${message.subject}${message.id}`)).toEqual(['b1', 'b2', 'b3']);
        expect((await collect(0, 3, { subject: 'c' })).map((message) => message.id)).toEqual(['1', '2', '3']);
      });

      test('an aborted tail ends, and so does one whose bus is closed', async () => {
        const stopping = new AbortController();
        const drained = async (signal?: AbortSignal): Promise<number> => {
          let count = 0;
          for await (const _ of bus.tail('work', { after: 0, ...(signal === undefined ? {} : { signal }) })) count++;
          return count;
        };
        await publish('a', ['1']);
        const aborted = drained(stopping.signal);
        const closed = drained();
        await delay(20);
        stopping.abort();
        expect(await aborted).toBe(1);
        await bus.close();
        expect(await closed).toBe(1);
      });
    });

    describe('key-value', () => {
      test('values, revisions and compare-and-set', async () => {
        const kv = bus.kv('bucket');
        expect(await kv.get('k')).toBeUndefined();
        const first = (await kv.put('k', Buffer.from('1'), 0))!;
        expect(await kv.put('k', Buffer.from('x'), 0)).toBeUndefined();
        const second = (await kv.put('k', Buffer.from('2'), first))!;
        expect(await kv.put('k', Buffer.from('x'), first)).toBeUndefined();
        const entry = (await kv.get('k'))!;
        expect([entry.key, text(entry.value), entry.revision]).toEqual(['k', '2', second]);
        await reopen();
        expect(text((await bus.kv('bucket').get('k'))!.value)).toBe('2');
        expect(await bus.kv('elsewhere').get('k')).toBeUndefined();
      });

      test('of many who compare and set, one succeeds', async () => {
        const kv = bus.kv('bucket');
        const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => kv.put('k', Buffer.from(`${i}`), 0)));
        expect(answers.filter((answer) => answer !== undefined)).toHaveLength(1);
      });

      test('a deleted key is absent and may be put again, with another revision', async () => {
        const kv = bus.kv('bucket');
        const old = await kv.put('k', Buffer.from('1'));
        await kv.delete('k');
        await kv.delete('never there');
        expect(await kv.get('k')).toBeUndefined();
        const fresh = await kv.put('k', Buffer.from('2'), 0);
        expect(fresh).toBeGreaterThan(old!);
      });

      test('entries come by prefix, in the order of their keys, however many', async () => {
        const kv = bus.kv('bucket');
        const keys = Array.from({ length: 600 }, (_, i) => `run/${String(i).padStart(4, '0')}`);
        await Promise.all([...keys, 'sun'].map((key) => kv.put(key, Buffer.from(key))));
        const found = [];
        for await (const entry of kv.entries('run/')) found.push(entry.key);
        expect(found).toEqual(keys);
        const all = [];
        for await (const entry of kv.entries()) all.push(entry.key);
        expect(all).toEqual([...keys, 'sun']);
      });
    });

    describe('deleting a subject', () => {
      test('nothing of it stays, nobody holds it, and others do not notice', async () => {
        const group = await bus.group('work', 'g');
        await publish('gone', ['1', '2']);
        await publish('gone', ['1'], 'other');
        await publish('stays', ['1']);
        const rejected = await take(group, { maxMessages: 1 });
        await rejected.reject(rejected.messages[0]!.position, 'bad', Buffer.from('state'));
        await bus.deleteSubject('gone');
        await expect(rejected.commit(rejected.messages[0]!.position, Buffer.from('x'))).rejects.toBeInstanceOf(LeaseLost);
        await rejected.release();
        expect(await group.state('gone')).toBeUndefined();
        expect(await group.deadLetters()).toEqual([]);
        expect((await group.depth()).messages).toBe(1);
        expect((await collect(0, 1)).map((message) => message.subject)).toEqual(['stays']);
        expect(await bus.floor('other')).toBe(await bus.head('other'));
        await bus.deleteSubject('never there');
      });

      test('a subject of the same name starts anew', async () => {
        const group = await bus.group('work', 'g');
        await publish('a', ['1']);
        await finish(group, 'old');
        await bus.deleteSubject('a');
        await reopen();
        const again = await bus.group('work', 'g');
        expect((await publish('a', ['1']))[0]!.duplicate).toBe(false);
        const lease = await take(again);
        expect([ids(lease), lease.state]).toEqual([['1'], undefined]);
      });
    });

    test('an unknown stream is a bug of the caller', async () => {
      await expect(bus.publish('nowhere', [{ subject: 'a', id: '1', body: new Uint8Array() }])).rejects.toThrow(/nowhere/);
      await expect(bus.group('nowhere', 'g')).rejects.toThrow(/nowhere/);
    });

    test('check passes while the bus is well, and not after close', async () => {
      await bus.check();
      await bus.close();
      await expect(bus.check()).rejects.toThrow(/closed/);
      await expect(publish('a', ['1'])).rejects.toThrow(/closed/);
    });
  });
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

function ids(lease: Lease): string[] {
  return lease.messages.map((message) => message.id);
}

async function take(group: Group, options: { maxMessages?: number; maxBytes?: number; waitMs?: number } = {}): Promise<Lease> {
  const lease = await group.take({ maxMessages: 100, maxBytes: 10_000_000, waitMs: 5_000, ...options });
  if (lease === undefined) throw new Error('no work came');
  return lease;
}

/** Commits everything that a group has. */
async function finish(group: Group, state?: string): Promise<void> {
  while ((await group.depth()).messages > 0) {
    const lease = await take(group);
    await lease.commit(lease.messages.at(-1)!.position, state === undefined ? undefined : Buffer.from(state));
    await lease.release();
  }
}

async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await check();
    } catch {
      await delay(50);
    }
  }
  await check();
}
