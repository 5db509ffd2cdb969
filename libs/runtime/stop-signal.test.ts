import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { packageRoot } from './package-root.js';
import { stopSignal } from './stop-signal.js';

const built = pathToFileURL(join(packageRoot, 'dist/libs/runtime/stop-signal.js')).href;

/** Somebody who waits for nothing but the signal, while garbage is collected. */
const waiting = (make: string): string => `
  import { stopSignal } from '${built}';
  const source = new AbortController();
  const wait = (signal) => new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  const keepRunning = setInterval(() => globalThis.gc(), 20);
  const never = setTimeout(() => { console.log('forgotten'); process.exit(); }, 3000);
  await wait(${make});
  clearInterval(keepRunning);
  clearTimeout(never);
  console.log('came');
`;

async function tried(make: string): Promise<string> {
  const args = ['--expose-gc', '--input-type=module', '--eval', waiting(make)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trim();
}

describe('stop signal', () => {
  test('its time comes although garbage was collected', async () => {
    expect(await tried('stopSignal([source.signal], 300).signal')).toBe('came');
  });

  // When this no longer holds, the helper has lost its reason.
  test.runIf(process.versions.node.startsWith('20.'))('the time of what Node has for this is forgotten', async () => {
    expect(await tried('AbortSignal.any([source.signal, AbortSignal.timeout(300)])')).toBe('forgotten');
  });

  test('a source stops it with its reason, before and after', () => {
    const source = new AbortController();
    const stop = stopSignal([undefined, source.signal], 60_000);
    expect(stop.signal.aborted).toBe(false);
    source.abort('closing');
    expect([stop.signal.aborted, stop.signal.reason, stop.isLate]).toEqual([true, 'closing', false]);
    expect(stopSignal([source.signal]).signal.reason).toBe('closing');
    stop.end();
  });

  test('the time is over: it says so', async () => {
    const stop = stopSignal([], 10);
    await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
    expect(stop.isLate).toBe(true);
    expect(String(stop.signal.reason)).toContain('10 ms');
  });

  test('ended, it is held by nobody', () => {
    const source = new AbortController();
    for (let i = 0; i < 100; i++) stopSignal([source.signal], 60_000).end();
    expect(getEventListeners(source.signal, 'abort')).toHaveLength(0);
  });
});
