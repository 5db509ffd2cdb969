import { describe, expect, it } from 'vitest';
import { referenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { importOnnx } from './import.js';
import { encodeModel } from './proto.js';

describe('functions of the file', () => {
  const info = { name: 'x', type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'n' }, { dimValue: 2 }] } } } };
  const attribute = { name: 'alpha', refAttrName: 'slope' };
  const leaky = {
    name: 'Twice',
    domain: 'own',
    input: ['a', 'b'],
    output: ['c', 'a'],
    opsetImport: [{ version: 16 }],
    attributeProto: [{ name: 'slope', f: 0.5, type: 1 }],
    node: [
      { opType: 'LeakyRelu', input: ['a'], output: ['m'], attribute: [attribute] },
      { opType: 'Add', input: ['m', 'a'], output: ['c'] },
    ],
  };
  const model = (call: Record<string, unknown>): Uint8Array =>
    encodeModel({
      opsetImport: [{ version: 17 }],
      functions: [leaky],
      graph: {
        node: [
          { opType: 'Twice', domain: 'own', input: ['x'], output: ['h', 'same'], ...call },
          { opType: 'Add', input: ['h', 'same'], output: ['y'] },
        ],
        input: [info],
        output: [{ name: 'y' }],
      },
    });
  const x = referenceTensor([1, 2], [1, -2]);
  const run = (bytes: Uint8Array): number[] => [...(runReference(importOnnx(bytes), { x })['y']?.data ?? [])];

  it('are written out with the attributes of each use, or their defaults', () => {
    expect(run(model({}))).toEqual([3, -5]);
    expect(run(model({ attribute: [{ name: 'slope', f: 0.25, type: 1 }] }))).toEqual([3, -4.5]);
  });
});
