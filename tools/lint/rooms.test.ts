import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';

// The linter itself is run on a file that lies in the room, so that the rule, the table and the wiring are all tested.
const folder = join(packageRoot, 'libs/math/lint-probe');
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function lint(source: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'probe.ts');
  writeFileSync(file, source);
  try {
    execFileSync(join(packageRoot, 'node_modules/.bin/oxlint'), [file], { cwd: packageRoot, encoding: 'utf8', stdio: 'pipe' });
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

it.each([
  ['a static import', `import { newId } from '#runtime/ids.js';\nexport const id = newId('x');\n`],
  ['a type import', `import type { Bus } from '#bus/bus.js';\nexport type B = Bus;\n`],
  ['a relative import', `import type { Bus } from '../../bus/bus.js';\nexport type B = Bus;\n`],
  ['a dynamic import', `export const load = (): Promise<unknown> => import('#store/store.js');\n`],
  ['an import inside a type', `export type R = import('#store/rows.js').RunRow;\n`],
  ['a re-export', `export { newId } from '#runtime/ids.js';\n`],
])('rooms - %s against the table is an error', (_, source) => {
  expect(lint(source)).toMatch(/the room 'math' may not use '(runtime|bus|store)'/);
});

it('rooms - a package that belongs to another room is an error', () => {
  expect(lint(`export { open } from 'lmdb';\n`)).toContain(`only 'bus' may touch 'lmdb'`);
});

it('rooms - reading the environment outside the configuration is an error', () => {
  expect(lint(`export const home = process.env['HOME'];\n`)).toContain('only libs/runtime/config.ts reads the environment');
});

it('rooms - an import inside the room passes', () => {
  expect(lint(`export { toJsonNumber } from '../json-number.js';\n`)).toBe('');
});
