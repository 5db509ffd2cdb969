import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ArtifactReferences } from './artifact-references.js';
import type { Bus } from './bus.js';
import { openLmdbBus } from './index.js';
import { RunKeepers } from './run-keepers.js';

let folder: string;
let bus: Bus;
let references: ArtifactReferences;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stagewatch-references-'));
  bus = await openLmdbBus({ path: folder });
  references = new ArtifactReferences(bus);
});
afterEach(async () => {
  await bus.close();
  await rm(folder, { recursive: true });
});

it('what another run uses stays, what only runs that go together use goes once', async () => {
  await references.add('a', ['shared', 'of-two', 'own']);
  await references.add('b', ['of-two']);
  await references.add('c', ['shared']);
  const erased: string[] = [];
  const erase = (digest: string): Promise<void> => Promise.resolve(void erased.push(digest));
  await references.remove(['a', 'b'], erase);
  expect(erased.toSorted()).toEqual(['of-two', 'own']);
  await references.remove(['a', 'b'], erase);
  expect(erased).toHaveLength(2);
});

it('a run that wants what is being erased waits until it is gone', async () => {
  await references.add('a', ['d']);
  const steps: string[] = [];
  let wanted: Promise<void> | undefined;
  await references.remove(['a'], async () => {
    wanted = references.add('b', ['d']).then(() => void steps.push('wanted'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    steps.push('erased');
  });
  await wanted;
  expect(steps).toEqual(['erased', 'wanted']);
});

it('a removal that broke off is found again, with the artifact that it was about to erase', async () => {
  await references.add('a', ['d']);
  await expect(references.remove(['a'], () => Promise.reject(new Error('broken off')))).rejects.toThrow('broken off');
  const erased: string[] = [];
  await references.remove(['a'], (digest) => Promise.resolve(void erased.push(digest)));
  expect(erased).toEqual(['d']);
  await references.add('b', ['d']);
});

it('a deletion waits for those who keep something, and names who does not answer', async () => {
  const keepers = new RunKeepers(bus);
  await keepers.join('quick');
  await keepers.join('dead');
  await keepers.join('left');
  await keepers.leave('left');
  await keepers.expect(['a', 'b']);
  for (const run of ['a', 'b']) await keepers.forgot('quick', run);
  expect(await keepers.untilForgotten(['a', 'b'], 50)).toEqual(['dead']);
  expect(await keepers.untilForgotten(['a', 'b'], 50)).toEqual([]);
  await keepers.expect(['c']);
  setTimeout(() => void keepers.forgot('dead', 'c'), 20);
  await keepers.forgot('quick', 'c');
  expect(await keepers.untilForgotten(['c'], 5000)).toEqual([]);
});
