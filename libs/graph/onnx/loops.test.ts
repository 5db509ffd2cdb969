import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { runReference } from '../run-reference.js';
import { differences, randomTensor, uniform } from '../testing/numbers.js';
import { importOnnx } from './import.js';
import { elementType, encodeModel } from './proto.js';

type Message = Record<string, unknown>;

const op = (opType: string, input: string, output: string, attribute: readonly Message[] = []): Message => ({
  opType,
  input: input.split(' ').filter((name) => name !== ''),
  output: output.split(' '),
  attribute,
});
const graphAttribute = (g: Message): Message => ({ name: 'body', type: 5, g });
const ints = (name: string, values: readonly number[]): Message => ({ name, type: 7, ints: values });
const int = (name: string, i: number): Message => ({ name, type: 2, i });
const value = (name: string, type: number, dim?: readonly (number | string)[]): Message => ({
  name,
  type: {
    tensorType: {
      elemType: type,
      ...(dim && { shape: { dim: dim.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d })) } }),
    },
  },
});
const { float, int64, bool } = elementType;
const whole = (name: string, number: number, dims: readonly number[] = []): Message => ({
  name,
  dims,
  dataType: int64,
  rawData: new Uint8Array(BigInt64Array.of(BigInt(number)).buffer),
});

const [BATCH, TIME, WIDTH] = [3, 4, 2];

/** x: [batch, time, width] → `y`; h begins with zeros of [batch, width]. */
const modelOf = (nodes: readonly Message[], initializer: readonly Message[] = []): Uint8Array =>
  encodeModel({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'loops',
      node: [
        op('Transpose', 'x', 'steps', [ints('perm', [1, 0, 2])]),
        op('Gather', 'steps zero', 'x0', [int('axis', 0)]),
        op('Sub', 'x0 x0', 'h0'),
        ...nodes,
      ],
      initializer: [whole('zero', 0), whole('one', 1), whole('turns', TIME), ...initializer],
      input: [value('x', float, ['batch', TIME, WIDTH]), value('w', float, [WIDTH, WIDTH])],
      output: [value('y', float)],
    },
  });

async function compare(bytes: Uint8Array): Promise<string[]> {
  const next = uniform(5);
  const inputs = { x: randomTensor([BATCH, TIME, WIDTH], next), w: randomTensor([WIDTH, WIDTH], next) };
  const [ours] = Object.values(runReference(importOnnx(bytes, { parameters: ['w'] }), inputs));
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const feeds = Object.entries(inputs).map(
    ([name, { shape, data }]) => [name, new ort.Tensor('float32', Float32Array.from(data), [...shape])] as const,
  );
  const [theirs] = Object.values(await session.run(Object.fromEntries(feeds)));
  await session.release();
  expect(ours?.shape).toEqual(theirs?.dims);
  return differences(ours?.data, theirs?.data as Float32Array | undefined, 2e-6);
}

/** h ← tanh(x_t + h w), with a counter of its own, until the counter is at `limit`. */
const loopBody = (end: readonly Message[] = [op('Less', 'next limit', 'goes')]): Message => ({
  name: 'body',
  node: [
    op('Gather', 'steps count', 'step', [int('axis', 0)]),
    op('MatMul', 'h w', 'recalled'),
    op('Add', 'step recalled', 'sum'),
    op('Tanh', 'sum', 'moved'),
    op('Add', 'count one', 'next'),
    ...end,
    op('Identity', 'moved', 'seen'),
  ],
  initializer: [whole('limit', TIME - 1)],
  input: [value('turn', int64, []), value('on', bool, []), value('count', int64, []), value('h', float)],
  output: [value('goes', bool, []), value('next', int64, []), value('moved', float), value('seen', float)],
});

const scanBody: Message = {
  name: 'body',
  node: [op('MatMul', 'h w', 'recalled'), op('Add', 'step recalled', 'moved'), op('Sin', 'moved', 'seen')],
  initializer: [],
  input: [value('h', float), value('step', float)],
  output: [value('moved', float), value('seen', float)],
};

const scan = (output: string, attribute: readonly Message[] = []): Message =>
  op('Scan', 'h0 steps', output, [graphAttribute(scanBody), int('num_scan_inputs', 1), ...attribute]);

describe('loops whose turns are known are written out', () => {
  it('a loop that ends by its condition: what is carried', async () => {
    const loop = op('Loop', 'turns  zero h0', 'n h all', [graphAttribute(loopBody())]);
    const absent = { ...loop, input: ['turns', '', 'zero', 'h0'], output: ['n', 'y', 'all'] };
    expect(await compare(modelOf([absent]))).toEqual([]);
  });

  it('a loop that ends by its number of turns: what is collected', async () => {
    const always = loopBody([op('Equal', 'one one', 'goes')]);
    const loop = { ...op('Loop', '', 'n h y', [graphAttribute(always)]), input: ['turns', '', 'zero', 'h0'] };
    expect(await compare(modelOf([loop]))).toEqual([]);
  });

  it.each([
    ['what is carried', scan('y all')],
    ['what is collected', scan('h y')],
    ['backwards', scan('h y', [ints('scan_input_directions', [1])])],
    ['collected backwards', scan('h y', [ints('scan_output_directions', [1])])],
    ['collected along the last axis', scan('h y', [ints('scan_output_axes', [2])])],
  ])('a scan - %s', async (_, node) => {
    expect(await compare(modelOf([node]))).toEqual([]);
  });

  it('a scan along another axis', async () => {
    const node = op('Scan', 'h0 x', 'h y', [graphAttribute(scanBody), int('num_scan_inputs', 1), ints('scan_input_axes', [1])]);
    expect(await compare(modelOf([node]))).toEqual([]);
  });
});

/** The same names are used at each depth: a graph inside a node may not hide a name, so they get the depth's. */
function inLoop(body: Message, from: string, to: string): Message {
  const renamed = JSON.parse(JSON.stringify(body).replaceAll(/"(turn|on|h|goes|same)"/g, `"$1/${from}"`)) as Message;
  return { ...op('Loop', '', to, [graphAttribute(renamed)]), input: ['many', '', from] };
}

describe('loops that are refused', () => {
  const refusal = (nodes: readonly Message[], initializer: readonly Message[] = []): (() => unknown) => {
    const bytes = modelOf(nodes, initializer);
    return () => importOnnx(bytes, { parameters: ['w'] });
  };

  it('a number of turns that depends on data', () => {
    const counted = op('ReduceMax', 'x', 'largest', [int('keepdims', 0)]);
    const cast = op('Cast', 'largest', 'n', [int('to', int64)]);
    const loop = { ...op('Loop', '', 'm h y', [graphAttribute(loopBody())]), input: ['n', '', 'zero', 'h0'] };
    expect(refusal([counted, cast, loop])).toThrow('depends on data');
  });

  it('a condition that depends on data', () => {
    const end = [op('ReduceMax', 'moved', 'top', [int('keepdims', 0)]), op('Less', 'top top', 'goes')];
    const loop = { ...op('Loop', '', 'm h y', [graphAttribute(loopBody(end))]), input: ['turns', '', 'zero', 'h0'] };
    expect(refusal([loop])).toThrow('ends when data say so');
  });

  it('a loop without end, and loops in loops', () => {
    const empty: Message = {
      name: 'body',
      node: [op('Identity', 'on', 'goes'), op('Identity', 'h', 'same')],
      input: [value('turn', int64, []), value('on', bool, []), value('h', float)],
      output: [value('goes', bool, []), value('same', float)],
    };
    const loop = { ...op('Loop', '', 'y', [graphAttribute(empty)]), input: ['many', '', 'h0'] };
    expect(refusal([loop], [whole('many', 2 ** 40)])).toThrow('very many turns');
    const outer = { ...empty, node: [op('Identity', 'on', 'goes'), inLoop(empty, 'h', 'same')] };
    expect(refusal([inLoop(outer, 'h0', 'y')], [whole('many', 10_000)])).toThrow('very many turns');
  });
});
