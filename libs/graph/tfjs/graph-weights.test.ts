import { describe, expect, it } from 'vitest';
import { UnsupportedModel } from '../errors.js';
import { parametersOf } from '../queries.js';
import { importTfjs } from './import-model.js';
import { dense, namesOf, read } from './testing/dense-file.js';
import { flag, float, type GraphFile } from './testing/graph-files.js';

describe('parameters of a GraphModel', () => {
  it('are all weights with their values, without single numbers and running statistics', () => {
    const file = dense();
    const [mean, variance] = [file.node('Identity', [file.weight('mean', [3])]), file.weight('variance', [3], [1, 2, 3])];
    const scaled = file.node('Mul', ['y', file.number(2)]);
    const four = file.node('Reshape', [scaled, file.wholes(-1, 1, 1, 3)]);
    file.node('FusedBatchNormV3', [four, file.weight('scale', [3]), file.weight('offset', [3]), mean, variance], {
      is_training: flag(false),
      epsilon: float(0.1),
    });
    const graph = read(file);
    expect(namesOf(graph)).toEqual(['w1', 'b1', 'scale', 'offset']);
    expect(parametersOf(graph)[1]?.initial).toEqual(Float32Array.from(file.weights[1]!.data));
  });

  it('are those that are listed, in that order; the others are constants', () => {
    expect(namesOf(read(dense(), { parameters: ['b1', 'w1'] }))).toEqual(['b1', 'w1']);
    expect(namesOf(read(dense(), { parameters: ['w1'] }))).toEqual(['w1']);
    expect(() => read(dense(), { parameters: ['w2'] })).toThrow(UnsupportedModel);
  });

  it('need no values in the file, but constants do', () => {
    const none = { external: undefined };
    expect(namesOf(read(dense(), none))).toEqual(['w1', 'b1']);
    expect(parametersOf(read(dense(), none))[0]?.initial).toBeUndefined();
    expect(() => read(dense(), { ...none, parameters: ['w1'] })).toThrow(
      expect.objectContaining({ field: 'node b1', message: expect.stringContaining('not with the model') }),
    );
  });
});

describe('weights of a GraphModel', () => {
  const withManifest = (file: GraphFile, manifest: unknown): string =>
    JSON.stringify({ ...file.json(), weightsManifest: manifest });

  it('may be inside of model.json', () => {
    const file = dense();
    const [group] = file.json().weightsManifest;
    const path = `data:application/octet-stream;base64,${Buffer.from(file.bytes).toString('base64')}`;
    const graph = importTfjs(withManifest(file, [{ ...group, paths: [path] }]));
    expect(parametersOf(graph)).toEqual(parametersOf(read(file)));
  });

  it.each([
    ['uint8', { dtype: 'uint8', scale: 0.5, min: -1 }, Uint8Array.of(0, 2, 255), [-1, 0, 126.5]],
    ['uint16', { dtype: 'uint16', scale: 0.25, min: 1 }, new Uint8Array(Uint16Array.of(0, 4, 40_000).buffer), [1, 2, 10_001]],
    ['float16', { dtype: 'float16' }, new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3800).buffer), [1, -2, 0.5]],
  ])('quantised to %s are read', (_, quantization, bytes, expected) => {
    const file = dense();
    const weights = [
      { name: 'w1', shape: [4, 3], dtype: 'float32' },
      { name: 'b1', shape: [3], dtype: 'float32', quantization },
    ];
    const all = new Uint8Array([...new Uint8Array(48), ...bytes]);
    const graph = importTfjs(withManifest(file, [{ paths: ['a'], weights }]), { external: () => all });
    expect(Array.from(parametersOf(graph)[1]?.initial ?? [])).toEqual(expected);
  });

  it.each([
    ['too few bytes', [{ paths: ['a'], weights: [{ name: 'w1', shape: [400, 3], dtype: 'float32' }] }], 'weightsManifest w1'],
    ['texts', [{ paths: ['a'], weights: [{ name: 'w1', shape: [1], dtype: 'string' }] }], 'weightsManifest w1'],
    [
      'a size that nobody has',
      [{ paths: ['a'], weights: [{ name: 'w1', shape: [2 ** 30, 2 ** 30], dtype: 'float32' }] }],
      'weightsManifest w1',
    ],
    ['what is not base64', [{ paths: ['data:;base64,?'], weights: [] }], 'weightsManifest'],
    ['another manifest', [{ paths: 'a' }], 'weightsManifest.0.paths'],
    ['a constant that is not listed', [], 'node w1'],
  ])('with %s are refused', (_, manifest, field) => {
    const file = dense();
    const read = () => importTfjs(withManifest(file, manifest), { external: () => file.bytes });
    expect(read).toThrow(UnsupportedModel);
    expect(read).toThrow(expect.objectContaining({ field }));
  });

  it('are looked for beside the file only', () => {
    const file = dense();
    const asked: string[] = [];
    const [group] = file.json().weightsManifest;
    const external = (path: string): undefined => void asked.push(path);
    for (const path of ['../a', '/a', 'a/../../b', 'http://a/b', 'fine/a'])
      importTfjs(withManifest(file, [{ ...group, paths: [path] }]), { external });
    expect(asked).toEqual(['fine/a']);
  });
});
