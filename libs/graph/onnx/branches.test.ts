import { describe, expect, it } from 'vitest';
import { runReference } from '../run-reference.js';
import { referenceTensor } from '../reference-tensor.js';
import { importOnnx } from './import.js';
import { elementType, encodeModel } from './proto.js';

type Part = Record<string, unknown>;

const info = (name: string): Part => ({ name });
const node = (opType: string, input: readonly string[], output: readonly string[], attribute: readonly Part[] = []): Part => ({
  opType,
  input,
  output,
  attribute,
});
const graphOf = (nodes: readonly Part[], output: string): Part => ({ name: output, node: nodes, output: [info(output)] });
const number = (name: string, value: number): Part => ({ name, dims: [], dataType: elementType.float, floatData: [value] });
const integer = (name: string, value: number, dims: readonly number[] = []): Part => ({
  name,
  dims,
  dataType: elementType.int64,
  int64Data: [value],
});

/** Squeezes the second axis of x if it has one element, and scales by 2; otherwise scales by 3. As PyTorch writes `squeeze`. */
function model(width: number, condition: readonly Part[] = sized): Uint8Array {
  const dim = [{ dimParam: 'batch' }, { dimValue: width }];
  const branches = [
    { name: 'then_branch', type: 5, g: graphOf([node('Squeeze', ['x', 'axis'], ['s']), node('Mul', ['s', 'two'], ['t'])], 't') },
    {
      name: 'else_branch',
      type: 5,
      g: { ...graphOf([node('Mul', ['x', 'three'], ['u'])], 'u'), initializer: [number('three', 3)] },
    },
  ];
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'branches',
      node: [...condition, node('If', ['is'], ['y'], branches)],
      initializer: [integer('one', 1), integer('at', 1), integer('axis', 1, [1]), number('two', 2)],
      input: [{ name: 'x', type: { tensorType: { elemType: elementType.float, shape: { dim } } } }],
      output: [info('y')],
    },
  });
}

const sized = [
  node('Shape', ['x'], ['shape']),
  node('Gather', ['shape', 'at'], ['width']),
  node('Equal', ['width', 'one'], ['is']),
];

const run = (bytes: Uint8Array, shape: readonly number[], data: readonly number[]) =>
  runReference(importOnnx(bytes, { parameters: [] }), { x: referenceTensor(shape, data) })['y'];

describe('If', () => {
  it('takes the branch of a condition that is known, with the names around it', () => {
    expect(run(model(1), [2, 1], [1, 2])).toEqual({ shape: [2], data: Float64Array.of(2, 4) });
    expect(run(model(2), [1, 2], [1, 2])).toEqual({ shape: [1, 2], data: Float64Array.of(3, 6) });
  });

  it('of data is refused', () => {
    const sum = [
      node('ReduceSum', ['x'], ['total'], [{ name: 'keepdims', type: 2, i: 0 }]),
      node('Greater', ['total', 'two'], ['is']),
    ];
    expect(() => importOnnx(model(1, sum), { parameters: [] })).toThrow('a choice that depends on data');
  });

  it('graphs inside graphs without end are refused', () => {
    // A field with a length on the wire: key, length in three bytes, content.
    const field = (id: number, content: readonly number[]): number[] => {
      const { length } = content;
      return [
        id * 8 + 2,
        (length % 128) + 128,
        (Math.floor(length / 128) % 128) + 128,
        Math.floor(length / 128 ** 2),
        ...content,
      ];
    };
    const graph = Array.from({ length: 200 }).reduce<number[]>((inner) => field(1, field(5, field(6, inner))), []);
    const bytes = Uint8Array.from(field(7, graph));
    expect(() => importOnnx(bytes, { parameters: [] })).toThrow('graphs inside graphs');
  });
});
