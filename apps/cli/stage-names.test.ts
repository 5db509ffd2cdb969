import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';
import { stageName } from './stage-names.js';

it('stage names - are those of the vocabulary', () => {
  const section = readFileSync(`${packageRoot}/docs/vocabulary.md`, 'utf8').split('## Stages')[1]!.split('##')[0]!;
  const stages = [...section.split('.')[0]!.matchAll(/`([a-z_]+)`/g)].map((match) => match[1]!);
  expect(stages.length).toBeGreaterThanOrEqual(7);
  const shown = /Shown to people as ([^.]+)\./.exec(section)![1]!.split(', ');
  expect(stages.filter((stage) => stage !== 'unknown').map((stage) => stageName(stage))).toEqual(shown);
});
