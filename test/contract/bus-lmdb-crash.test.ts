import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';

const rounds = 6;
const root = fileURLToPath(new URL('../../', import.meta.url));
const outDir = join(root, 'node_modules/.cache/bus-child');
let path: string;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'stagewatch-bus-crash-'));
  const conditions = ['source'];
  const entry = 'test/contract/bus-publisher.child.ts';
  const output = { ssr: entry, outDir, emptyOutDir: false, minify: false, target: 'node20' } as const;
  await build({ root, configFile: false, logLevel: 'error', ssr: { resolve: { conditions } }, build: output });
});
afterAll(() => rm(path, { recursive: true, force: true }));

/** What a subject still has in the stream, up to a mark that is put behind it. */
async function storedIds(bus: Bus, subject: string): Promise<string[]> {
  await bus.publish('records', [{ subject, id: 'end', body: new Uint8Array() }]);
  const found: string[] = [];
  for await (const message of bus.tail('records', { after: 0, subject })) {
    if (message.id === 'end') break;
    found.push(message.id);
  }
  return found;
}

test('after kill -9 at any moment every acknowledged message is there once, and position and state agree', async () => {
  const acknowledged = { a: new Set<string>(), b: new Set<string>() };
  const committed = { a: 0, b: 0 };
  for (let round = 0; round < rounds; round++) {
    const child = spawn(process.execPath, [join(outDir, 'bus-publisher.child.js'), path, `${round}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    const lines = createInterface(child.stdout);
    const ended = once(lines, 'close');
    const ready = new Promise<void>((resolve) => {
      lines.on('line', (line) => {
        const [what, subject, ...rest] = line.split(' ');
        if (what === 'ready') resolve();
        // The last line may be cut; a cut id is the beginning of one that was acknowledged in full or not at all.
        else if (what === 'ack') for (const id of rest) acknowledged[subject as 'a' | 'b'].add(id);
        else if (what === 'commit') committed[subject as 'a' | 'b'] = Number(rest[0]);
      });
    });
    await Promise.race([ready, exit]);
    await delay(100 + 60 * round);
    child.kill('SIGKILL');
    await Promise.all([exit, ended]);
  }

  const bus = await openLmdbBus({ path });
  const group = await bus.group('records', 'counter');
  const waiting = (await group.depth()).messages;
  let left = 0;
  for (const subject of ['a', 'b'] as const) {
    const state = await group.state(subject);
    const count = state === undefined ? 0 : Number(Buffer.from(state).toString('utf8'));
    expect(count).toBeGreaterThanOrEqual(committed[subject]);
    const stored = await storedIds(bus, subject);
    expect(new Set(stored).size).toBe(stored.length);
    left += stored.length;
    // Published again, every acknowledged id is a duplicate: stored once, now or before it was finished.
    const ids = [...acknowledged[subject]].slice(-3000);
    const again = await bus.publish(
      'records',
      ids.map((id) => ({ subject, id, body: new Uint8Array() })),
    );
    expect(again.filter((result) => !result.duplicate)).toEqual([]);
    // Finished and waiting together are all that were ever stored: at least the acknowledged, at most one call more a round.
    expect(count + stored.length).toBeGreaterThanOrEqual(acknowledged[subject].size);
    expect(count + stored.length).toBeLessThanOrEqual(acknowledged[subject].size + rounds * 7);
  }
  expect(left).toBe(waiting);
  expect(acknowledged.a.size).toBeGreaterThan(100);
  await bus.close();
});
