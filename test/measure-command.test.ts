import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpz, type NpyArray } from '#engine/index.js';
import { decodeModel, encodeModel } from '#graph/onnx/proto.js';
import { goldenFolder, readGolden, type Golden } from '../apps/analyzer/testing/golden-model.js';
import { runCli } from '../apps/cli/run-cli.js';

const float32 = ({ shape, data }: Golden['x']): NpyArray => ({ dtype: 'float32', shape, data: Float32Array.from(data) });
const int64 = ({ shape, data }: Golden['x']): NpyArray => ({ dtype: 'int64', shape, data: BigInt64Array.from(data, BigInt) });

/** A .safetensors file of these parameters, and a buffer that no model trains. */
function safetensors({ parameters, theta }: Golden, factor = 1): Buffer {
  const numbers = Float32Array.from([...theta.map((x) => factor * x), 7]);
  let offset = 0;
  const entries = [...parameters, { name: 'steps', shape: [1] }].map(({ name, shape }) => {
    const from = offset;
    offset += 4 * shape.reduce((a, b) => a * b, 1);
    return [name, { dtype: 'F32', shape, data_offsets: [from, offset] }] as const;
  });
  const header = Buffer.from(JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.from(numbers.buffer)]);
}

let folder: string;
const file = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-measure-'));
  const [classes, squares] = [readGolden('tanh-classes'), readGolden('mixed-squares')];
  writeFileSync(file('classes.npz'), writeNpz({ x: float32(classes.x), y: int64(classes.y) }));
  writeFileSync(file('squares.npz'), writeNpz({ x: float32(squares.x), y: float32(squares.y) }));
  writeFileSync(file('same.safetensors'), safetensors(classes));
  writeFileSync(file('double.safetensors'), safetensors(classes, 2));
  writeFileSync(file('garbage.npz'), 'garbage');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function measure(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const io = {
    stdin: (async function* (): AsyncGenerator<string> {})(),
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
    signal: new AbortController().signal,
  };
  const code = await runCli(['measure', ...args, '--executor', 'ort-cpu', '--threads', '1'], io);
  return { code, ...said };
}

interface Measured {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly top: readonly { readonly value: number; readonly bound: number }[];
  readonly products: number;
  readonly device: string;
}
const json = (out: string): Measured => JSON.parse(out) as Measured;
const model = (name: string): string[] => ['--model', `${goldenFolder}/${name}.onnx`];

describe('stagewatch measure', () => {
  it("gives PyTorch's loss and gradient norm, and the same eigenvalues on both executors", async () => {
    const expected = readGolden('tanh-classes');
    const args = [...model('tanh-classes'), '--probe', file('classes.npz'), '--json', '--top', '2'];
    const first = await measure(...args);
    // On a slow machine it says what it is doing, and nothing else.
    expect(first).toMatchObject({ code: 0, err: expect.stringMatching(/^([^\n]+…\n)*$/) });
    const measured = json(first.out);
    expect(measured.loss).toBeCloseTo(expected.loss, 5);
    expect(measured.gradientNorm).toBeCloseTo(Math.hypot(...expected.gradient), 5);
    expect(measured).toMatchObject({ device: 'ort-cpu', parameters: 119, examples: 6, random: false, check: { ok: true } });
    const io = { stdin: (async function* () {})(), out: () => {}, err: () => {}, signal: new AbortController().signal };
    let other = '';
    await runCli(['measure', ...args, '--executor', 'reference', '--tolerance', '1e-6'], {
      ...io,
      out: (text) => (other = text),
    });
    for (const [i, { value, bound }] of json(other).top.entries()) {
      expect(Math.abs(value - measured.top[i]!.value)).toBeLessThanOrEqual(bound + measured.top[i]!.bound);
    }
    expect(json(other).top).toHaveLength(2);
  });

  it('repeats itself for a seed', async () => {
    const args = [...model('tanh-classes'), '--probe', file('classes.npz'), '--json', '--no-check', '--seed', '5'];
    const [a, b] = [await measure(...args), await measure(...args)];
    expect(json(a.out).top).toEqual(json(b.out).top);
  });

  it('knows losses: half the sum of squares, and weight decay', async () => {
    const args = ['--probe', file('squares.npz'), '--loss', 'mse', '--reduction', 'sum', '--halved', '--json'];
    const plain = json((await measure(...model('mixed-squares'), ...args)).out);
    expect(plain.loss).toBeCloseTo(readGolden('mixed-squares').loss, 5);
    const classes = [...model('tanh-classes'), '--probe', file('classes.npz'), '--json'];
    const [without, decayed] = [
      json((await measure(...classes)).out),
      json((await measure(...classes, '--weight-decay', '0.5')).out),
    ];
    const { theta } = readGolden('tanh-classes');
    expect(decayed.loss).toBeCloseTo(without.loss + 0.25 * theta.reduce((sum, x) => sum + x * x, 0), 4);
    const [low, high] = [without.top[0]!, decayed.top[0]!];
    expect(Math.abs(high.value - low.value - 0.5)).toBeLessThan(low.bound + high.bound);
  });

  it('takes parameters from a file, and names what it does not need of it', async () => {
    const args = [...model('tanh-classes'), '--probe', file('classes.npz'), '--json', '--no-check'];
    const plain = json((await measure(...args)).out);
    const same = await measure(...args, '--parameters', file('same.safetensors'));
    expect(same.err).toBe('Not parameters of the model: steps\n');
    expect(json(same.out).top).toEqual(plain.top);
    const other = json((await measure(...args, '--parameters', file('double.safetensors'))).out);
    expect(other.loss).not.toBeCloseTo(plain.loss, 3);
  });

  it('gives people a table, with made-up examples when that is asked for', async () => {
    const { code, out, err } = await measure(`${goldenFolder}/tanh-classes.onnx`, '--random', '32');
    expect(code).toBe(0);
    expect(out).toMatch(/^loss +\d[^]*\nsharpness +\S+ {2}± \S+\nproducts +\d+, \S+ ms each\n[^]*\nexamples +32\n/);
    expect(err).toContain('made-up');
  });

  describe('a file with a mask, two outputs and its weights beside it', () => {
    const words = JSON.parse(readFileSync('test/golden/exporters/words.json', 'utf8')) as {
      readonly inputs: { readonly ids: Golden['x'] };
      readonly y: Golden['y'];
      readonly loss: number;
      readonly gradient: readonly number[];
    };
    const original = 'test/golden/exporters/words-external.onnx';
    beforeAll(() => {
      writeFileSync(file('words.npz'), writeNpz({ x: int64(words.inputs.ids), y: int64(words.y) }));
      copyFileSync(`${original}.data`, file('words-external.onnx.data'));
      const { graph, ...rest } = decodeModel(readFileSync(original));
      const input = graph?.input.map(({ name, type }) => {
        const { elemType, shape } = type?.tensorType ?? {};
        return { name, type: { tensorType: { elemType, shape: { dim: shape?.dim.with(1, { dimParam: 'sequence' }) } } } };
      });
      writeFileSync(file('open.onnx'), encodeModel({ ...rest, graph: { ...graph, input } }));
    });

    it.each([
      ['as it is', [original]],
      ['with an axis left open', [() => file('open.onnx'), '--sizes', 'sequence=4']],
    ])("gives PyTorch's numbers where the mask is given - %s", async (_, [path = '', ...more]) => {
      const at = typeof path === 'string' ? path : path();
      const args = more.filter((arg) => typeof arg === 'string');
      const { code, out } = await measure(at, '--probe', file('words.npz'), '--given', 'mask=1', '--json', ...args);
      expect(code).toBe(0);
      expect(json(out).loss).toBeCloseTo(words.loss, 5);
      expect(json(out).gradientNorm).toBeCloseTo(Math.hypot(...words.gradient), 5);
    });

    it.each([
      ['a mask that is missing', [], 'mask'],
      ['an output without tokens', ['--given', 'mask=1', '--output', 'pooled'], 'not a list of class indices'],
      ['an output that is not there', ['--given', 'mask=1', '--output', 'scores'], 'scores'],
      ['an input that is not there', ['--given', 'masks=1'], "no data input 'masks'"],
      ['no number', ['--given', 'mask=yes'], '--given takes NAME=X'],
      ['half a size', ['--sizes', 'sequence=4.5'], '--sizes takes AXIS=N'],
    ])('blames the caller for %s', async (_, args, problem) => {
      const { code, out, err } = await measure(original, '--probe', file('words.npz'), ...args);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain(problem);
    });
  });

  it.each([
    ['no model', [], 'a model is missing'],
    ['no probe set', ['m.onnx'], '--probe FILE or --random N'],
    ['both kinds of examples', ['m.onnx', '--probe', 'p', '--random', '3'], 'either'],
    ['a model that is not there', ['m.onnx', '--random', '3'], 'cannot read m.onnx'],
    ['an unknown loss', ['m.onnx', '--random', '3', '--loss', 'hinge'], 'cross-entropy, mse'],
    ['half an eigenvalue', ['m.onnx', '--random', '3', '--top', '0.5'], '--top takes a whole number'],
  ])('blames the caller for %s', async (_, args, problem) => {
    const { code, out, err } = await measure(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(problem);
  });

  it.each([
    ['another model', 'mixed-squares', 'classes.npz', 'does not fit the model'],
    ['no archive', 'tanh-classes', 'garbage.npz', 'ZIP'],
    ['targets instead of classes', 'tanh-classes', 'squares.npz', 'x'],
  ])('names what does not fit in the probe set: %s', async (_, name, probe, problem) => {
    const { code, out, err } = await measure(...model(name), '--probe', file(probe));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(problem);
  });
});
