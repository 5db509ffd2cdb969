import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../builder.js';
import type { Shape } from '../../graph.js';
import type { ReferenceTensor } from '../../reference-tensor.js';
import { elements } from '../../reference-tensor.js';
import { runReference } from '../../run-reference.js';
import { resolveShape, stridesOf } from '../../shapes.js';
import { differences, randomTensor, uniform } from '../../testing/numbers.js';
import { smallDifferences } from '../../testing/small-model.js';
import { NodeView } from '../node-view.js';
import { einsum } from './einsum.js';

const BATCH = 3;

/** The reader alone, on tensors with these shapes. */
function read(equation: string, shapes: readonly Shape[]) {
  const builder = new GraphBuilder();
  const inputs = shapes.map((shape, i) => builder.input({ name: `x${i}`, role: 'data', dtype: 'float32', shape }));
  const attribute = [{ name: 'equation', s: new TextEncoder().encode(equation), ints: [], floats: [], strings: [] }];
  const node = { input: [], output: ['y'], opType: 'Einsum', name: 'it', attribute };
  const view = new NodeView(
    builder,
    node,
    inputs.map((value) => ({ kind: 'tensor' as const, value })),
    17,
  );
  const value = [einsum(builder, view)].flat()[0];
  if (value === undefined) throw new Error('No value');
  return builder.build([{ name: 'y', value }]);
}

/** Term by term as NumPy documents it: the sum over every label of the product of the elements, axes of one stretched. */
function bruteForce(equation: string, tensors: readonly ReferenceTensor[]): { shape: number[]; data: number[] } {
  const [left = '', right] = equation.replaceAll(' ', '').split('->');
  const given = left.split(',');
  const ranks = given.map((term, i) => (term.includes('...') ? (tensors[i]?.shape.length ?? 0) - (term.length - 3) : 0));
  const dots = (count: number): string => '123456789'.slice(0, count).split('').reverse().join('');
  const terms = given.map((term, i) => term.replace('...', dots(ranks[i] ?? 0)));
  const letters = terms.join('').replaceAll(/\d/g, '');
  const once = [...new Set(letters)].filter((label) => letters.split(label).length === 2).sort();
  const output = (right ?? `...${once.join('')}`).replace('...', dots(Math.max(...ranks)));
  const sizes = new Map<string, number>();
  terms.forEach((term, i) =>
    term.split('').forEach((label, axis) => {
      if ((sizes.get(label) ?? 1) === 1) sizes.set(label, tensors[i]?.shape[axis] ?? 1);
    }),
  );
  const labels = [...output.split(''), ...[...sizes.keys()].filter((label) => !output.includes(label))];
  const all = labels.map((label) => sizes.get(label) ?? 1);
  const shape = output.split('').map((label) => sizes.get(label) ?? 1);
  const data = Array.from({ length: elements(shape) }, () => 0);
  const inner = elements(all.slice(shape.length));
  const strides = tensors.map((tensor) => stridesOf(tensor.shape));
  for (let i = 0; i < elements(all); i++) {
    let rest = i;
    const place = new Map<string, number>();
    for (let k = labels.length - 1; k >= 0; k--) {
      place.set(labels[k] ?? '', rest % (all[k] ?? 1));
      rest = Math.floor(rest / (all[k] ?? 1));
    }
    let product = 1;
    tensors.forEach((tensor, t) => {
      const offset = (terms[t] ?? '')
        .split('')
        .reduce(
          (sum, label, axis) => sum + (tensor.shape[axis] === 1 ? 0 : (place.get(label) ?? 0)) * (strides[t]?.[axis] ?? 0),
          0,
        );
      product *= tensor.data[offset] ?? Number.NaN;
    });
    const target = Math.floor(i / inner);
    data[target] = (data[target] ?? 0) + product;
  }
  return { shape, data };
}

function wrongs(equation: string, shapes: readonly Shape[]): string[] {
  const graph = read(equation, shapes);
  const next = uniform(11);
  const tensors = shapes.map((shape) => randomTensor(resolveShape(shape, BATCH), next));
  const result = runReference(graph, Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor])))['y'];
  const expected = bruteForce(equation, tensors);
  if (result?.shape.join() !== expected.shape.join())
    return [`${equation}: ${result?.shape.join()} for ${expected.shape.join()}`];
  return differences(result.data, expected.data, 1e-12).map((text) => `${equation}: ${text}`);
}

const equations: readonly (readonly [string, ...Shape[]])[] = [
  ['ij,jk->ik', ['batch', 3], [3, 2]],
  ['ij,jk', ['batch', 3], [3, 2]],
  ['ij,kj->ik', ['batch', 3], [2, 3]],
  ['ji,jk->ik', [3, 'batch'], [3, 2]],
  ['bhqd,bhkd->bhqk', ['batch', 2, 4, 3], ['batch', 2, 5, 3]],
  ['bqhd,bkhd->bhqk', ['batch', 4, 2, 3], ['batch', 5, 2, 3]],
  ['bhqk,bkhd->bqhd', ['batch', 2, 4, 5], ['batch', 5, 2, 3]],
  ['btd,dhe->bthe', ['batch', 4, 3], [3, 2, 5]],
  ['bthe,hed->btd', ['batch', 4, 2, 5], [2, 5, 3]],
  ['bd,bd->b', ['batch', 3], ['batch', 3]],
  ['i,j->ij', ['batch'], [3]],
  ['i,i->', [4], [4]],
  ['ij->ji', ['batch', 3]],
  ['ij->', ['batch', 3]],
  ['ij->j', ['batch', 3]],
  ['ba', ['batch', 3]],
  ['bii->bi', ['batch', 3, 3]],
  ['bii->b', ['batch', 3, 3]],
  ['biji->bj', ['batch', 3, 2, 3]],
  ['...ij,...jk->...ik', ['batch', 2, 4, 3], [2, 3, 5]],
  ['...ij,jk', ['batch', 4, 3], [3, 5]],
  ['i...,i...->...', ['batch', 2, 3], ['batch', 1, 3]],
  ['b...c,cd->b...d', ['batch', 2, 2, 3], [3, 4]],
  ['bi,bj,bk->bijk', ['batch', 2], ['batch', 3], ['batch', 2]],
  ['bi,ij,j->b', ['batch', 2], [2, 3], [3]],
  ['bi,ij,bj->b', ['batch', 2], [2, 3], ['batch', 3]],
  ['bik,bjk,ij->bk', ['batch', 2, 4], ['batch', 3, 4], [2, 3]],
  ['bi,bj->bij', ['batch', 1], ['batch', 3]],
  ['bi,bi->b', ['batch', 1], ['batch', 3]],
  ['bic,jc->bij', ['batch', 4, 1], [2, 3]],
  ['bi , ij -> bj', ['batch', 2], [2, 3]],
  ['Bi,iB->B', ['batch', 2], [2, 'batch']],
  ['bi,ij->bj', ['batch', 0], [0, 3]],
];

/** Every way to share labels among two or three small operands, drawn at random. */
function generated(count: number): (readonly [string, ...Shape[]])[] {
  const next = uniform(29);
  const pick = (below: number): number => Math.floor(((next() + 1) / 2) * below);
  const sizes: Readonly<Record<string, number>> = { a: 2, b: 3, c: 1, d: 4, e: 2 };
  const labels = Object.keys(sizes);
  return Array.from({ length: count }, () => {
    const terms = Array.from({ length: 1 + pick(3) }, () =>
      Array.from({ length: pick(5) }, () => labels[pick(labels.length)] ?? 'a').join(''),
    );
    const used = [...new Set(terms.join(''))].filter(() => pick(2) === 0);
    const output = used.sort(() => pick(3) - 1).join('');
    const shapes = terms.map((term) =>
      term
        .split('')
        .filter(Boolean)
        .map((label) => (pick(8) === 0 && !hasTwice(term) ? 1 : (sizes[label] ?? 1))),
    );
    return [`${terms.join(',')}->${output}`, ...shapes] as const;
  });
}
const hasTwice = (term: string): boolean => new Set(term).size < term.length;

describe('Einsum', () => {
  it.each(equations.map(([equation, ...shapes]) => ({ equation, shapes })))('$equation', ({ equation, shapes }) => {
    expect(wrongs(equation, shapes)).toEqual([]);
  });

  it('equations that were drawn', () => {
    expect(generated(400).flatMap(([equation, ...shapes]) => wrongs(equation, shapes))).toEqual([]);
  });

  it('ONNX Runtime computes the same', async () => {
    for (const [equation, a, b] of equations.slice(0, 9)) {
      const inputs = Object.fromEntries(
        [a, b].flatMap((shape, i) => (shape?.[0] === 'batch' ? [[`x${i}`, { shape: shape as (number | 'batch')[] }]] : [])),
      );
      if (Object.keys(inputs).length < 2) continue;
      const nodes = [{ op: 'Einsum', inputs: ['x0', 'x1'], attributes: { equation } }];
      expect(await smallDifferences({ inputs, nodes }, BATCH), equation).toEqual([]);
    }
  });

  it('attention is two plain products', () => {
    for (const [equation, ...shapes] of equations.slice(4, 5)) {
      expect(read(equation, shapes).nodes.map(({ op }) => op)).toEqual(['matmul']);
    }
    expect(
      read('bqhd,bkhd->bhqk', [
        ['batch', 4, 2, 3],
        ['batch', 5, 2, 3],
      ]).nodes.map(({ op }) => op),
    ).toEqual(['transpose', 'transpose', 'matmul']);
  });

  it.each([
    [
      'ij,jk->iz',
      [
        [2, 3],
        [3, 2],
      ],
      "label 'z'",
    ],
    ['ij->ii', [[2, 3]], "label 'i'"],
    [
      'ij,jk->ik',
      [
        [2, 3],
        [4, 2],
      ],
      'sizes 3 and 4',
    ],
    ['ijk->i', [[2, 3]], "term 'ijk'"],
    ['ij;k->i', [[2, 3]], 'equation'],
    ['ij,jk->ik', [[2, 3]], 'for 1 inputs'],
  ] as const)('%s is refused', (equation, shapes, message) => {
    expect(() => read(equation, shapes)).toThrow(message);
  });
});
