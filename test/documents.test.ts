import { readdirSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '#cli/run-cli.js';
import { ruleSchema } from '#dashboard/alerts/rule.js';
import { errorCodes } from '#runtime/errors.js';
import { packageRoot } from '#runtime/package-root.js';
import { openEngineStore, type EngineStore } from './support/engine-store.js';

// What documents promise is what code has: columns, commands, flags, fields, codes.
const document = (name: string): string => readFileSync(`${packageRoot}/${name}`, 'utf8');
const rows = (text: string): string[][] =>
  [...text.matchAll(/^\| (.*) \|$/gm)].map((row) => row[1]!.split(/(?<!\\) \| /)).filter(([first]) => first?.startsWith('`'));
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
const flagsIn = (text: string): string[] => [...text.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map((match) => match[1]!);
const flagNames = new Set([...commands.flatMap(({ options }) => Object.keys(options)), 'help', 'version']);

describe('documents - SQL', () => {
  let store: EngineStore;
  beforeAll(async () => (store = await openEngineStore()));
  afterAll(() => store.close());

  it('lists every view with all of its columns, and no other', async () => {
    const listed = Object.fromEntries(
      rows(document('docs/sql.md')).map(([view, , columns]) => [quoted(view!)[0]!, quoted(columns!).sort()]),
    );
    expect(Object.keys(listed)).toHaveLength(7);
    for (const [view, columns] of Object.entries(listed)) {
      const answer = await text(await store.store.query({ sql: `DESCRIBE TABLE ${view}`, format: 'TSV' }));
      const real = answer
        .trim()
        .split('\n')
        .map((line) => line.split('\t')[0]!);
      expect({ view, columns }).toEqual({ view, columns: real.sort() });
    }
  });
});

describe('documents - the command line', () => {
  it('lists every command, and no other', () => {
    const [table = ''] = document('docs/command-line.md').split('## ');
    const listed = rows(table).flatMap(([first]) => quoted(first!).map((usage) => usage.split(' ')[0]!));
    expect([...new Set(listed)].sort()).toEqual(commands.map(({ name }) => name).sort());
  });

  const pages = [
    'README.md',
    ...readdirSync(`${packageRoot}/docs`)
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];
  it.each(pages)('%s names no flag that no command has', (page) => {
    const lines = document(page)
      .split('\n')
      .filter((line) => /stagewatch|`--/.test(line) && !/python|docker|npm run|curl/.test(line));
    const ends = (flag: string): boolean => flag.endsWith('-') && [...flagNames].some((name) => name.startsWith(flag));
    expect(lines.flatMap(flagsIn).filter((flag) => !flagNames.has(flag) && !ends(flag))).toEqual([]);
  });

  it.each(commands)('the help of $name speaks of flags that there are', ({ usage, summary, description = '', options }) => {
    const texts = [usage, summary, description, ...Object.values(options).map(({ help }) => help)].join('\n');
    expect(flagsIn(texts).filter((flag) => !flagNames.has(flag))).toEqual([]);
  });
});

describe('documents - alerts', () => {
  it('a rule has the fields that are listed, and no other', () => {
    const listed = rows(document('docs/webhooks.md')).flatMap(([first]) => quoted(first!));
    expect(listed.sort()).toEqual(Object.keys(ruleSchema.shape).sort());
  });
});

it('documents - every error code that is named exists', () => {
  const likeCodes = /`([A-Z]+_[A-Z_]+)`/g;
  const named = ['docs/ingest.md', 'docs/http-api.md', 'docs/webhooks.md'].flatMap((page) =>
    [...document(page).matchAll(likeCodes)].map((match) => match[1]!),
  );
  const codes = named.filter((name) => !/^(STAGEWATCH|LOSS|MODEL|BLOB_KIND|PRESENCE)_/.test(name));
  expect(codes.filter((name) => !(name in errorCodes))).toEqual([]);
  expect(codes).toContain('UNKNOWN_KIND');
});
