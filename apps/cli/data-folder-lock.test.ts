import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockDataFolder } from './data-folder-lock.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'stagewatch-lock-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('lock - a second service on the same folder is refused with what to do', () => {
  const lock = lockDataFolder(folder);
  expect(() => lockDataFolder(folder)).toThrow(/in use by process \d+.*--data/);
  lock.release();
  lockDataFolder(folder).release();
});

it.each([
  ['of a process that is gone', '999999999 1\n'],
  ['whose process number now belongs to another program', `${process.pid} 1\n`],
  ['that holds garbage', 'garbage'],
  ['that is empty', ''],
])('lock - a stale lock %s is taken over', (_, content) => {
  writeFileSync(join(folder, 'stagewatch.lock'), content);
  const lock = lockDataFolder(folder);
  expect(readFileSync(join(folder, 'stagewatch.lock'), 'utf8')).not.toBe(content);
  lock.release();
});
