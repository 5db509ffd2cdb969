import { describe, expect, it } from 'vitest';
import { parametersOf } from '../queries.js';
import { importOnnx } from './import.js';
import { elementType, encodeModel } from './proto.js';

const floats = (name: string, numbers: readonly number[]): Record<string, unknown> => ({
  name,
  dims: [numbers.length],
  dataType: elementType.float,
  floatData: [...numbers],
});

/** x ⊙ a ⊙ b, where b is written as a copy of a. */
const fileWith = (numbers: readonly number[]): Uint8Array =>
  encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'merged',
      node: [
        { opType: 'Identity', input: ['a'], output: ['b'] },
        { opType: 'Mul', input: ['x', 'a'], output: ['xa'] },
        { opType: 'Mul', input: ['xa', 'b'], output: ['y'] },
      ],
      initializer: [floats('a', numbers)],
      input: [
        {
          name: 'x',
          type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'batch' }, { dimValue: numbers.length }] } } },
        },
      ],
      output: [{ name: 'y' }],
    },
  });

const parametersIn = (numbers: readonly number[], parameters?: readonly string[]): [string, number[]][] =>
  parametersOf(importOnnx(fileWith(numbers), { parameters })).map(({ name, initial }) => [name, [...(initial ?? [])]]);

describe('weights that an exporter has merged', () => {
  it('both are listed: each has its values', () => {
    expect(parametersIn([1, 1], ['a', 'b'])).toEqual([
      ['a', [1, 1]],
      ['b', [1, 1]],
    ]);
    expect(parametersIn([1, 2], ['b', 'a'])).toEqual([
      ['b', [1, 2]],
      ['a', [1, 2]],
    ]);
  });

  it('only the copy is listed and the numbers are no accident: they are one weight under that name', () => {
    const graph = importOnnx(fileWith([1, 2]), { parameters: ['b'] });
    expect(parametersOf(graph).map(({ name }) => name)).toEqual(['b']);
    expect(graph.constants).toEqual([]);
  });

  it('only the copy is listed and the numbers are all the same: the other one is a constant', () => {
    const graph = importOnnx(fileWith([1, 1]), { parameters: ['b'] });
    expect(graph.constants.map(({ data }) => [...data])).toEqual([[1, 1]]);
  });

  it('nothing is listed: what is random is one weight', () => {
    expect(parametersIn([1, 2])).toEqual([['a', [1, 2]]]);
    expect(parametersIn([1, 1]).map(([name]) => name)).toEqual(['a', 'b']);
  });
});
