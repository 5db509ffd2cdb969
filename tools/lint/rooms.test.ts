import { expect, it } from 'vitest';
import { lintSource } from './lint-source.js';

const lint = (source: string): string => lintSource(source, 'lint-probe-rooms');

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
