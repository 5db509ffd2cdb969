import { describe, expect, it } from 'vitest';
import { inputsOf } from '../queries.js';
import { refusal } from '../testing/refusal.js';
import { importOnnx } from './import.js';
import type { OnnxImportOptions } from './import.js';
import { encodeModel } from './proto.js';

describe('free axes', () => {
  const file = (...inputs: (readonly (string | number | undefined)[])[]): Uint8Array =>
    encodeModel({
      opsetImport: [{ version: 17 }],
      graph: {
        node: [{ opType: 'Tanh', input: ['x0'], output: ['y'] }],
        input: inputs.map((dims, i) => ({
          name: `x${i}`,
          type: {
            tensorType: {
              elemType: 1,
              shape: {
                dim: dims.map((dim) =>
                  typeof dim === 'string' ? { dimParam: dim } : dim === undefined ? {} : { dimValue: dim },
                ),
              },
            },
          },
        })),
        output: [{ name: 'y' }],
      },
    });
  const shapes = (bytes: Uint8Array, options: OnnxImportOptions = {}): unknown =>
    inputsOf(importOnnx(bytes, options), 'data').map(({ shape }) => shape);

  it('are the examples, wherever they stand', () => {
    expect(shapes(file(['n', 3]))).toEqual([['batch', 3]]);
    expect(shapes(file([undefined, 3]))).toEqual([['batch', 3]]);
    const sequenceFirst = importOnnx(file([5, 'n', 3]));
    expect(inputsOf(sequenceFirst, 'data').map(({ shape }) => shape)).toEqual([['batch', 5, 3]]);
    expect(sequenceFirst.outputs[0]?.shape).toEqual([5, 'batch', 3]);
  });

  it('of several inputs are the same', () => {
    expect(shapes(file(['n', 3], ['n', 2]))).toEqual([
      ['batch', 3],
      ['batch', 2],
    ]);
    expect(shapes(file(['n', 3], [2, 'n']))).toEqual([
      ['batch', 3],
      ['batch', 2],
    ]);
    expect(shapes(file(['n_1', 3], ['n_2', 2]))).toEqual([
      ['batch', 3],
      ['batch', 2],
    ]);
  });

  it('besides the examples get a size by their names', () => {
    expect(shapes(file(['n', 'sequence']), { sizes: { sequence: 7 } })).toEqual([['batch', 7]]);
    const error = refusal(() => importOnnx(file(['n', 'sequence'])));
    expect(error).toMatchObject({ field: 'input x0', value: '[n, sequence]' });
    expect(String(error)).toContain("'sequence' has no size");
  });

  it.each([
    ['none', file([2, 3]), 'one number of examples only'],
    ['the examples twice', file(['n', 'n']), '[batch, batch]'],
    ['several, none of them first', file([2, 'a', 'b']), 'several free axes'],
  ])('refused - %s', (_, bytes, text) => {
    const error = refusal(() => importOnnx(bytes));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_MODEL', field: 'input x0' });
    expect(String(error)).toContain(text);
  });
});
