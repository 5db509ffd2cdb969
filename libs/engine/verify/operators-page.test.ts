import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { registry } from '#graph/ops/registry.js';
import { packageRoot } from '#runtime/package-root.js';
import { compositions, operatorColumns } from './operators-page.js';

const page = readFileSync(`${packageRoot}/docs/operators.md`, 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| op '))
  .map((line) => line.slice(2, -2).split(/(?<!\\) \| /));

// The columns of executors say what one machine could start; the others are the same everywhere.
describe('docs/operators.md (npm run generate:operators)', () => {
  it('lists every op, what is read as it, and its derivative', () => {
    const expected = [...registry.values()].map(operatorColumns).sort(([a], [b]) => (a! < b! ? -1 : 1));
    expect(rows.map((row) => row.slice(0, 3))).toEqual(expected);
  });

  it('lists what is read as a composition', () => {
    expect(page).toContain(`\n\n${compositions().join(', ')}\n\n`);
  });

  it('says of every executor that was there that it passes', () => {
    expect(rows.filter((row) => row.slice(3).some((cell) => cell !== 'pass' && cell !== '–'))).toEqual([]);
    expect(rows[0]!.slice(3)).toContain('pass');
  });
});
