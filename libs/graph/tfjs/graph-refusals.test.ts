import { describe, expect, it } from 'vitest';
import { GraphError, UnknownOp, UnsupportedModel } from '../errors.js';
import { uniform } from '../testing/numbers.js';
import { importTfjs } from './import-model.js';
import { dense, read } from './testing/dense-file.js';
import { flag, int, text, texts, type, type GraphFile } from './testing/graph-files.js';

describe('a GraphModel', () => {
  it('names an operator that is not known', () => {
    const file = dense();
    file.node('Reluu6', ['y'], {}, 'strange');
    expect(() => read(file)).toThrow(UnknownOp);
    const expected = { code: 'UNKNOWN_OP', node: 'strange', op: 'Reluu6', domain: 'tensorflow', field: 'node strange' };
    expect(() => read(file)).toThrow(expect.objectContaining({ ...expected, nearest: expect.arrayContaining(['Relu6']) }));
  });

  const broken: readonly (readonly [string, (file: GraphFile) => unknown, string])[] = [
    [
      'a fused operator that is not known',
      (f) => f.node('_FusedMatMul', ['y', f.weight('w', [3, 2])], { fused_ops: texts('Gelu') }, 'n'),
      'Gelu',
    ],
    ['a layout that is not known', (f) => f.node('BiasAdd', ['y', 'b1'], { data_format: text('NDHWC') }, 'n'), 'NDHWC'],
    [
      'a padding that is not known',
      (f) => f.node('MaxPool', [f.node('Reshape', ['y', f.wholes(-1, 1, 3, 1)])], { padding: text('ODD') }, 'n'),
      'ODD',
    ],
    [
      'an attribute of another type',
      (f) => f.node('MatMul', ['y', f.weight('w', [3, 2])], { transpose_a: { b: 'x' } }, 'n'),
      'transpose_a',
    ],
    ['a missing input', (f) => f.node('Sub', ['y'], {}, 'n'), 'missing'],
    ['a missing result', (f) => f.node('Relu', ['y:3'], {}, 'n'), "output 3 of 'y'"],
    ['shapes that do not fit', (f) => f.node('MatMul', ['y', f.weight('w', [4, 2])], {}, 'n'), 'MatMul'],
    [
      'sizes that depend on data',
      (f) => f.node('Reshape', ['y', f.node('Cast', ['y'], { DstT: type('DT_INT32') })], {}, 'n'),
      'not known',
    ],
    ['an axis that is not there', (f) => f.node('Sum', ['y', f.wholes(5)], {}, 'n'), 'Axis 5'],
    ['a cast to what is not known', (f) => f.node('Cast', ['y'], { DstT: type('DT_STRING') }, 'n'), 'DT_STRING'],
  ];
  it.each(broken)('with %s is refused at its node', (_, spoil, problem) => {
    const file = dense();
    spoil(file);
    expect(() => read(file)).toThrow(UnsupportedModel);
    expect(() => read(file)).toThrow(expect.objectContaining({ field: 'node n', message: expect.stringContaining(problem) }));
  });

  it('that is damaged somewhere gives an error of a model, or another model', () => {
    const file = dense();
    const parts = file.node(
      'Split',
      [file.whole(1), file.node('Pad', ['y', file.weight('pads', [2, 2], [0, 0, 1, 2], 'int32')])],
      {
        num_split: int(3),
      },
    );
    const size = file.node('StridedSlice', [file.node('Shape', ['y']), file.wholes(0), file.wholes(1), file.wholes(1)]);
    const shape = file.node('ConcatV2', [size, file.wholes(2, 1), file.whole(0)], { N: int(2) });
    file.node('Sum', [file.node('Reshape', [`${parts}:1`, shape]), file.wholes(2)], { keep_dims: flag(true) });
    const whole = JSON.stringify(file.json());
    const next = uniform(11);
    const pick = (count: number): number => Math.floor((next() + 1) * 0.5 * count) % count;
    const strange = ['null', '-1', '1e99', '"x"', '[]', '{}', '"y"', '"-3"', '2147483648', 'true'];
    const values = [...whole.matchAll(/"[^"]*"(?!:)|-?\d+(?:\.\d+)?|true|false/g)];
    const errors: unknown[] = [];
    for (let i = 0; i < 400; i++) {
      const { 0: old, index } = values[pick(values.length)]!;
      const text = whole.slice(0, index) + strange[pick(strange.length)] + whole.slice(index + old.length);
      try {
        importTfjs(text, { external: () => file.bytes });
      } catch (error) {
        errors.push(error);
      }
    }
    expect(errors.filter((error) => !(error instanceof GraphError))).toEqual([]);
    expect(errors.length).toBeGreaterThan(100);
  });

  it('that goes in a circle is refused', () => {
    const file = dense();
    file.nodes.push({ name: 'a', op: 'Relu', input: ['b'], attr: {} }, { name: 'b', op: 'Relu', input: ['a'], attr: {} });
    expect(() => read(file, { outputs: ['a'] })).toThrow(/depends on itself/);
  });

  it.each([
    ['nodes of another form', { modelTopology: { node: [{ op: 'Relu' }] } }],
    ['no nodes', { modelTopology: { node: [] } }],
    ['two nodes of one name', { modelTopology: { node: [1, 2].map(() => ({ name: 'a', op: 'NoOp' })) } }],
    ['no topology', {}],
  ])('with %s is refused', (_, rest) => {
    expect(() => importTfjs(JSON.stringify({ format: 'graph-model', ...rest }))).toThrow(UnsupportedModel);
  });
});
