import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';
import { lintSource } from './lint-source.js';

const lint = (source: string): string => lintSource(source, 'lint-probe-spread');

it.each([
  ['pushed', `export function f(to: number[], from: readonly number[]): void {\n  to.push(...from);\n}\n`],
  ['into Math.max', `export const f = (x: readonly number[]): number => Math.max(...x);\n`],
  ['of a map, behind others', `export const f = (x: readonly number[]): number => Math.max(1, ...x.map(Math.abs));\n`],
  ['into text', `export const f = (x: Uint8Array): string => String.fromCharCode(...x);\n`],
  ['into a constructor', `export const f = (x: readonly number[]): unknown => new Array(...x);\n`],
  ['inside a literal', `export const f = (x: readonly number[]): number => Math.max(...[1, ...x]);\n`],
])('spread - an array %s is an error', (_, source) => {
  expect(lint(source)).toContain('stagewatch(spread)');
});

it.each([
  ['a literal', `export const f = (x: number): number => Math.max(...[x, 1]);\n`],
  ['a choice of literals', `export const f = (x: boolean): number => Math.max(1, ...(x ? [2] : []));\n`],
  ['a pair by its type', `export const f = (x: number[]): number => Math.max(...(x as [number, number]));\n`],
  ['arguments handed on', `export const f = (...x: readonly number[]): number => Math.max(...x);\n`],
  ['an array into an array', `export const f = (x: readonly number[]): number[] => [...x];\n`],
  [
    'what is excused',
    `// oxlint-disable-next-line stagewatch/spread -- two at most\nexport const f = (x: number[]): number => Math.max(...x);\n`,
  ],
])('spread - %s passes', (_, source) => {
  expect(lint(source)).not.toContain('stagewatch(');
});

it('spread - whoever is excused says why', () => {
  const pattern = 'oxlint-disable.* stagewatch/spread';
  const excused = execFileSync('git', ['grep', '-hE', pattern, '--', 'apps', 'libs'], { cwd: packageRoot, encoding: 'utf8' });
  expect(
    excused
      .trim()
      .split('\n')
      .filter((line) => !/ -- \S/.test(line)),
  ).toEqual([]);
});

it('signals that Node forgets are an error', () => {
  expect(lint(`export const s = AbortSignal.timeout(5);\n`)).toContain('stagewatch(held-signals)');
  expect(lint(`export const s = AbortSignal.any([]);\n`)).toContain('stagewatch(held-signals)');
});
