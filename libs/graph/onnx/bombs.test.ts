/** Small files that ask for very much: none is computed to its end. The tests measure no time, but the file would take hours. */
import { describe, expect, it } from 'vitest';
import { UnsupportedModel } from '../errors.js';
import { bombs, frozenModel } from '../testing/bombs.js';
import { refusal } from '../testing/refusal.js';
import { importOnnx } from './import.js';

const harmless = 'sixty doublings of one number';

describe('a file that asks for very many computations', () => {
  it.each(Object.keys(bombs).filter((name) => name !== harmless))('%s', (name) => {
    const told = refusal(() => importOnnx(bombs[name]!(), { parameters: ['w'] }));
    expect(told).toBeInstanceOf(UnsupportedModel);
    expect(told).toMatchObject({
      field: expect.stringMatching(/^node /),
      message: expect.stringMatching(
        /^Node '.+' \(.+\): (it would take very many computations|a loop of very many turns|A value of shape .* is too large)/,
      ),
    });
  });

  it('computes what costs little', () => {
    expect(importOnnx(bombs[harmless]!(), { parameters: ['w'] }).nodes).toHaveLength(1);
  });

  it('leaves weights that are not trained as they are', () => {
    const graph = importOnnx(frozenModel(100), { parameters: ['w'] });
    expect(graph.constants.filter(({ data }) => data.length === 833 * 3000)).toHaveLength(10);
  });
});
