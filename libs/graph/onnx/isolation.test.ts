/**
 * Files from strangers: whatever they hold, the answer is a graph or an error of a model. The tests measure no time, but each of
 * these files would take minutes or gigabytes where a limit was missing.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GraphError } from '../errors.js';
import { uniform } from '../testing/numbers.js';
import { importOnnx } from './import.js';
import { refusal } from '../testing/refusal.js';
import { encodeModel } from './proto.js';

const SECONDS = 1000;

type Json = Record<string, unknown>;

const info = (name: string, ...dims: (number | string)[]): Json => ({
  name,
  type: {
    tensorType: {
      elemType: 1,
      shape: { dim: dims.map((dim) => (typeof dim === 'string' ? { dimParam: dim } : { dimValue: dim })) },
    },
  },
});
const node = (opType: string, input: readonly string[], output: readonly string[], attribute: readonly Json[] = []): Json => ({
  opType,
  input,
  output,
  attribute,
});
const whole = (name: string, ...values: number[]): Json => ({ name, dims: [values.length], dataType: 7, int64Data: values });

function file(
  nodes: readonly Json[],
  { initializer = [], functions = [], input = [info('x', 'batch', 4)] }: Readonly<Record<string, readonly Json[]>> = {},
): Uint8Array {
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ version: 17 }],
    functions,
    graph: { node: nodes, initializer, input, output: [{ name: 'y' }] },
  });
}

const refusalOf = (bytes: Uint8Array): unknown => refusal(() => importOnnx(bytes, { parameters: [] }));

/** Nodes each of which uses the one before. */
const chain = (length: number, opType: string): Json[] =>
  Array.from({ length }, (_, i) => node(opType, [i === 0 ? 'x' : `h${i - 1}`], [i === length - 1 ? 'y' : `h${i}`]));

const function_ = (name: string, nodes: readonly Json[]): Json => ({
  name,
  domain: 'own',
  input: ['a'],
  output: ['b'],
  node: nodes,
  opsetImport: [{ version: 17 }],
});
const call = (name: string, input: string, output: string): Json => ({ ...node(name, [input], [output]), domain: 'own' });

const huge = 2 ** 40;

describe('a file that would fill the machine is refused', () => {
  it.each<readonly [string, () => Uint8Array]>([
    ['a chain of two hundred thousand nodes', () => file(chain(200_000, 'Tanh'))],
    [
      'a million empty attributes',
      () =>
        file([
          node(
            'Tanh',
            ['x'],
            ['y'],
            Array.from({ length: 2_100_000 }, () => ({ i: 1 })),
          ),
        ]),
    ],
    [
      'a constant of a shape that its data does not fill',
      () =>
        file([node('Add', ['x', 'w'], ['y'])], {
          initializer: [{ name: 'w', dims: [huge, huge], dataType: 1, rawData: new Uint8Array(8) }],
        }),
    ],
    [
      'a constant without data',
      () => file([node('Add', ['x', 'w'], ['y'])], { initializer: [{ name: 'w', dims: [1e9, 4], dataType: 1 }] }),
    ],
    ['Expand to 10^12 elements', () => file([node('Expand', ['x', 's'], ['y'])], { initializer: [whole('s', 1e6, 1e6, 1, 4)] })],
    ['Tile to 10^12 elements', () => file([node('Tile', ['x', 's'], ['y'])], { initializer: [whole('s', 1e6, 1e6)] })],
    [
      'ConstantOfShape of 10^12 elements',
      () => file([node('ConstantOfShape', ['s'], ['c']), node('Add', ['x', 'c'], ['y'])], { initializer: [whole('s', 1e12)] }),
    ],
    [
      'Range to 10^12',
      () =>
        file([node('Range', ['a', 'b', 'd'], ['r']), node('Add', ['x', 'r'], ['y'])], {
          initializer: [
            { ...whole('a', 0), dims: [] },
            { ...whole('b', 1e12), dims: [] },
            { ...whole('d', 1), dims: [] },
          ],
        }),
    ],
    [
      'a product of vectors that is a matrix of 10^12',
      () =>
        file([node('Expand', ['x', 's'], ['c']), node('Expand', ['x', 't'], ['r']), node('Mul', ['c', 'r'], ['y'])], {
          initializer: [whole('s', 1_000_000, 1, 1, 4), whole('t', 1_000_000, 1, 4)],
        }),
    ],
    [
      'sizes whose product is beyond 2^53',
      () => file([node('Tanh', ['x'], ['y'])], { input: [info('x', 'batch', 2 ** 30, 2 ** 30)] }),
    ],
    ['a size beyond 2^53', () => file([node('Tanh', ['x'], ['y'])], { input: [info('x', 'batch', 2 ** 60)] })],
    [
      'a tensor of a hundred axes',
      () =>
        file([node('Reshape', ['x', 's'], ['y'])], { initializer: [whole('s', 0, ...Array.from({ length: 99 }, () => 1), 4)] }),
    ],
    ['Pad of 10^12', () => file([node('Pad', ['x', 's'], ['y'])], { initializer: [whole('s', 0, 0, 0, 1e12)] })],
    ['a name of a megabyte', () => file([node('Tanh', ['x'], ['y'.repeat(1_000_000)]), node('Tanh', ['x'], ['y'])])],
    ['nodes in a circle', () => file([node('Add', ['x', 'b'], ['a']), node('Tanh', ['a'], ['b']), node('Tanh', ['b'], ['y'])])],
    ['a node that uses itself', () => file([node('Add', ['x', 'y'], ['y'])])],
    ['a function that uses itself', () => file([call('f', 'x', 'y')], { functions: [function_('f', [call('f', 'a', 'b')])] })],
    [
      'functions that double each other',
      () =>
        file([call('f40', 'x', 'y')], {
          functions: [
            function_('f0', [node('Tanh', ['a'], ['b'])]),
            ...Array.from({ length: 40 }, (_, i) => function_(`f${i + 1}`, [call(`f${i}`, 'a', 'm'), call(`f${i}`, 'm', 'b')])),
          ],
        }),
    ],
    [
      'a list of millions of whole numbers',
      () =>
        file([node('Tanh', ['x'], ['y'])], {
          initializer: [{ name: 'l', dims: [1], dataType: 7, int64Data: Array.from({ length: 4_100_000 }, () => 1) }],
        }),
    ],
    ['an unknown operator with a name of a thousand letters', () => file([node('Q'.repeat(1000), ['x'], ['y'])])],
  ])(
    '%s',
    (_, make) => {
      const error = refusalOf(make());
      expect(error).toBeInstanceOf(GraphError);
      expect(String(error).length).toBeLessThan(6000);
    },
    20 * SECONDS,
  );

  it('protobuf that nests without end', () => {
    // Field 7 (graph) of length-delimited garbage, and groups inside groups.
    const nested = new Uint8Array(300_000).fill(0x0b);
    expect(refusalOf(nested)).toBeInstanceOf(GraphError);
    const lengths = new Uint8Array(300_000).fill(0x3a);
    expect(refusalOf(lengths)).toBeInstanceOf(GraphError);
  });
});

describe('a file that is changed at random', () => {
  const golden = new URL('../../../test/golden/onnx/', import.meta.url);

  /** Bytes changed, cut out, doubled or put in, a few at a time. */
  function mutated(bytes: Uint8Array, next: () => number): Uint8Array {
    const list = [...bytes];
    const at = (): number => Math.floor(((next() + 1) / 2) * list.length);
    for (let change = 0; change < 1 + Math.floor((next() + 1) * 2); change++) {
      const kind = Math.floor((next() + 1) * 2);
      if (kind === 0) list[at()] = Math.floor((next() + 1) * 128);
      else if (kind === 1) list.splice(at(), Math.floor((next() + 1) * 8));
      else if (kind === 2) {
        const from = at();
        list.splice(at(), 0, ...list.slice(from, from + 20));
      } else list[at()] = 255;
    }
    return Uint8Array.from(list);
  }

  it.each(['mixed-squares', 'tokens-log-softmax', 'relu-viewed', 'sigmoid-squares'])(
    '%s: a graph or an error of a model, and nothing else',
    (name) => {
      const bytes = readFileSync(new URL(`${name}.onnx`, golden));
      const next = uniform(11);
      // One of them has its parameters as inputs.
      const options = name === 'relu-viewed' ? { parameters: ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'] } : {};
      const surprises: string[] = [];
      let graphs = 0;
      for (let i = 0; i < 800; i++) {
        try {
          importOnnx(mutated(bytes, next), options);
          graphs++;
        } catch (error) {
          if (!(error instanceof GraphError))
            surprises.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
        }
      }
      expect(surprises.slice(0, 3)).toEqual([]);
      expect(graphs).toBeGreaterThan(0);
      expect(graphs).toBeLessThan(800);
    },
    60 * SECONDS,
  );
});
