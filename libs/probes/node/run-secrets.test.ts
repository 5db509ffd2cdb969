import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RunSecrets } from './run-secrets.js';

const secret = 's'.repeat(43);
let parent: string;
let folder: string;
let secrets: RunSecrets;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'stagewatch-secrets-'));
  folder = join(parent, 'run-secrets');
  secrets = new RunSecrets(folder);
});
afterEach(() => rm(parent, { recursive: true, force: true }));

it('keeps a secret for its user alone, and the newest one', async () => {
  expect(await secrets.recall('r1')).toBe('');
  await secrets.keep('r1', 'x'.repeat(43));
  await secrets.keep('r1', secret);
  expect(await secrets.recall('r1')).toBe(secret);
  expect(await readdir(folder)).toEqual(['r1']);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder, 'r1'))).mode & 0o777).toBe(0o600);
});

it('takes a damaged file for none', async () => {
  await secrets.keep('r1', secret);
  await chmod(join(folder, 'r1'), 0o600);
  for (const damaged of ['', 'short', `${secret}\u0000`, 'é'.repeat(43)]) {
    await writeFile(join(folder, 'r1'), damaged);
    expect(await secrets.recall('r1')).toBe('');
  }
});

it('makes nothing but an id the name of a file', async () => {
  for (const name of ['../x', 'a/b', '', 'x'.repeat(65), 'a\nb']) {
    await secrets.keep(name, secret);
    expect(await secrets.recall(name)).toBe('');
  }
  expect(await readdir(parent)).toEqual([]);
});

it('keeps so many, and lets the oldest go', async () => {
  await mkdir(folder);
  const idOf = (i: number): string => `r${String(i).padStart(5, '0')}`;
  for (let i = 0; i < 1003; i++) await writeFile(join(folder, idOf(i)), secret);
  await secrets.keep(idOf(1003), secret);
  expect(await readdir(folder)).toHaveLength(1000);
  expect(await secrets.recall(idOf(3))).toBe('');
  expect(await secrets.recall(idOf(4))).toBe(secret);
});
