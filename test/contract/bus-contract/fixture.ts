import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach } from 'vitest';
import { stopSignal } from '#runtime/stop-signal.js';
import type { Bus, Group, Lease, Message, PublishResult, StreamOptions } from '#bus/bus.js';

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

/** The bus under test, and what every part of the contract does with it. */
export interface BusFixture {
  /** Another one after `reopen`. */
  readonly bus: Bus;
  readonly reopen: () => Promise<void>;
  /** One message for each id, to the stream `work` unless it is said otherwise. */
  readonly publish: (subject: string, ids: readonly string[], stream?: string) => Promise<readonly PublishResult[]>;
  /** The next messages of a tail. */
  readonly collect: (after: number, count: number, options?: { stream?: string; subject?: string }) => Promise<Message[]>;
}

export const leaseMs = 300;

const streams = {
  work: { retention: 'work' },
  other: { retention: 'work' },
  recent: { retention: 'recent', maxMessages: 100 },
} as const satisfies Record<string, StreamOptions>;

/** A new installation for each test of the suite that calls this. */
export function busFixture(contract: BusContract): BusFixture {
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

  return {
    get bus() {
      return bus;
    },
    reopen: async () => {
      await home.leave(bus);
      bus = await home.open();
    },
    publish: (subject, ids, stream = 'work') =>
      bus.publish(
        stream,
        ids.map((id) => ({ subject, id, body: Buffer.from(`${subject}:${id}`) })),
      ),
    collect: async (after, count, options = {}) => {
      const found: Message[] = [];
      if (count === 0) return found;
      const stop = stopSignal([], 10_000);
      const { stream = 'work', ...rest } = options;
      for await (const message of bus.tail(stream, { after, signal: stop.signal, ...rest }))
        if (found.push(message) >= count) break;
      stop.end();
      return found;
    },
  };
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

export function ids(lease: Lease): string[] {
  return lease.messages.map((message) => message.id);
}

export async function take(
  group: Group,
  options: { maxMessages?: number; maxBytes?: number; waitMs?: number } = {},
): Promise<Lease> {
  const lease = await group.take({ maxMessages: 100, maxBytes: 10_000_000, waitMs: 5_000, ...options });
  if (lease === undefined) throw new Error('no work came');
  return lease;
}

/** Commits everything that a group has. */
export async function finish(group: Group, state?: string): Promise<void> {
  while ((await group.depth()).messages > 0) {
    const lease = await take(group);
    await lease.commit(lease.messages.at(-1)!.position, state === undefined ? undefined : Buffer.from(state));
    await lease.release();
  }
}

export async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await check();
    } catch {
      await delay(50);
    }
  }
  await check();
}
