import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';
import { notHere } from '../../../test/support/needs.js';
import { openDoor } from './testing/open-door.js';

// Go builds the client and what it needs when nothing is in its cache.
const buildMs = 900_000;
const token = 'a-token-of-some-length';
const rowCount = 200_000;

/** The path of the client; undefined where Go or its modules cannot be had. */
async function build(folder: string): Promise<string | undefined> {
  const client = join(folder, 'client');
  const cwd = join(packageRoot, 'test/golden/clickhouse-go');
  try {
    await promisify(execFile)('go', ['build', '-buildvcs=false', '-o', client, './client'], { cwd, timeout: buildMs });
    return client;
  } catch (error) {
    notHere('clickhouse-go at the ClickHouse door', `the client is not built: ${String(error).slice(0, 200)}`);
    return undefined;
  }
}

test(
  'clickhouse-go connects, asks and streams with each of its compressions',
  async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), 'stagewatch-go-'));
    const door = await openDoor({ token });
    try {
      const client = await build(folder);
      skip(client === undefined, 'no Go here, or not the modules');
      const { stdout } = await promisify(execFile)(client!, [`127.0.0.1:${door.port}`, token], { timeout: 60_000 });
      const sum = (rowCount * (rowCount - 1)) / 2;
      const methods = ['none', 'lz4', 'zstd', 'gzip', 'deflate', 'br'];
      expect(stdout.trim().split('\n')).toEqual(
        methods.flatMap((method) => [`${method} ${rowCount} ${sum} <nil>`, `${method} error: true`]),
      );
    } finally {
      await door.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  buildMs + 120_000,
);
