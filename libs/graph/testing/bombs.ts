/** Model files of strangers that are small and would take long, or much memory, where nobody counts what they ask for. */
import { elementType, encodeModel } from '../onnx/proto.js';

type Message = Readonly<Record<string, unknown>>;

const { float, int64, bool } = elementType;
const whole = (name: string, values: readonly number[], dims = [values.length]): Message => ({
  name,
  dims,
  dataType: int64,
  rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});
const info = (name: string, elemType: number = float, ...dims: (number | string)[]): Message => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: { dim: dims.map((dim) => (typeof dim === 'string' ? { dimParam: dim } : { dimValue: dim })) },
    },
  },
});
const node = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attribute: readonly Message[] = [],
): Message => ({
  opType,
  input,
  output,
  attribute,
});
const int = (name: string, i: number): Message => ({ name, type: 2, i });
const ints = (name: string, values: readonly number[]): Message => ({ name, type: 7, ints: values });
const graph = (name: string, g: Message): Message => ({ name, type: 5, g });
const number = (values: Message): Message => ({ name: 'value', type: 4, t: values });

/** `y` = `x` · `w`, and beside it what is said: all nodes of a file are read, needed or not. */
function besideProduct(nodes: readonly Message[], initializer: readonly Message[] = []): Uint8Array {
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ version: 17 }],
    graph: {
      node: [node('MatMul', ['x', 'w'], ['y']), ...nodes],
      initializer: [{ name: 'w', dims: [3, 2], dataType: float, rawData: new Uint8Array(24).fill(60) }, ...initializer],
      input: [info('x', float, 'batch', 3)],
      output: [{ name: 'y' }],
    },
  });
}

/** A tensor of whole numbers of this shape, all of them 1. */
const ones = (size: string, output: string): Message => node('ConstantOfShape', [size], [output], [number(whole('', [1]))]);

/** Each takes the result of the one before twice. */
const chain = (op: string, count: number, attributes: readonly Message[] = []): Message[] =>
  Array.from({ length: count }, (_, i) => node(op, [`h${i}`, `h${i}`], [`h${i + 1}`], attributes));

const body = (nodes: readonly Message[], inputs: readonly Message[], outputs: readonly string[]): Message =>
  graph('body', { node: nodes, input: inputs, output: outputs.map((name) => ({ name })) });

/** A loop of so many turns whose body does this with its value. */
function loop(turns: number, begin: readonly Message[], nodes: readonly Message[], initializer: readonly Message[]): Uint8Array {
  return besideProduct(
    [
      ...begin,
      node(
        'Loop',
        ['turns', 'go', 'h0'],
        ['end'],
        [
          body(
            [node('Identity', ['goes'], ['still']), ...nodes],
            [info('turn', int64), info('goes', bool), info('value', int64)],
            ['still', 'next'],
          ),
        ],
      ),
    ],
    [whole('turns', [turns], []), { name: 'go', dims: [], dataType: bool, rawData: Uint8Array.of(1) }, ...initializer],
  );
}

const productOf2000 = [ones('s', 'h0'), ...chain('MatMul', 3)];

/** By what they are. Each is read as `{ parameters: ['w'] }`, if at all. */
export const bombs: Readonly<Record<string, () => Uint8Array>> = {
  'three products of 2000 x 2000 in three hundred bytes': () => besideProduct(productOf2000, [whole('s', [2000, 2000])]),
  'a hundred additions of four million numbers': () =>
    besideProduct([ones('s', 'h0'), ...chain('Add', 100)], [whole('s', [2 ** 22])]),
  'a loop of ten million empty turns': () => loop(1e7, [], [node('Identity', ['value'], ['next'])], [whole('h0', [1], [])]),
  'a loop of additions of four million numbers': () =>
    loop(1e5, [ones('s', 'h0')], [node('Add', ['value', 'value'], ['next'])], [whole('s', [2 ** 22])]),
  'a loop without an end': () =>
    besideProduct(
      [
        node(
          'Loop',
          ['', 'go', 'h0'],
          ['end'],
          [
            body(
              [node('Identity', ['goes'], ['still']), node('Identity', ['value'], ['next'])],
              [info('turn', int64), info('goes', bool), info('value', int64)],
              ['still', 'next'],
            ),
          ],
        ),
      ],
      [{ name: 'go', dims: [], dataType: bool, rawData: Uint8Array.of(1) }, whole('h0', [1], [])],
    ),
  'a loop that collects four million numbers in each turn': () =>
    besideProduct(
      [
        ones('s', 'big'),
        node(
          'Loop',
          ['turns', 'go'],
          ['all'],
          [
            body(
              [node('Identity', ['goes'], ['still']), node('Identity', ['big'], ['part'])],
              [info('turn', int64), info('goes', bool)],
              ['still', 'part'],
            ),
          ],
        ),
      ],
      [whole('s', [2 ** 22]), whole('turns', [30_000], []), { name: 'go', dims: [], dataType: bool, rawData: Uint8Array.of(1) }],
    ),
  'two hundred transpositions of four million numbers': () =>
    besideProduct([ones('s', 'h0'), ...transpositions(200)], [whole('s', [2048, 2048])]),
  'two hundred ranges of four million numbers': () =>
    besideProduct(
      Array.from({ length: 200 }, (_, i) => node('Range', ['zero', 'many', 'step'], [`r${i}`])),
      [whole('zero', [0], []), whole('many', [2 ** 22], []), whole('step', [1], [])],
    ),
  'two hundred one-hot tables of four million numbers': () =>
    besideProduct(
      [ones('s', 'row'), ...Array.from({ length: 200 }, (_, i) => node('OneHot', ['row', 'depth', 'values'], [`t${i}`]))],
      [whole('s', [2048]), whole('depth', [2048], []), whole('values', [0, 1])],
    ),
  'two hundred paddings to four million numbers': () =>
    besideProduct(
      [ones('s', 'row'), ...Array.from({ length: 200 }, (_, i) => node('Pad', ['row', 'pads'], [`t${i}`]))],
      [whole('s', [4]), whole('pads', [2 ** 21, 2 ** 21 - 8])],
    ),
  'a doubling by concatenation, and two hundred after it': () =>
    besideProduct(
      [
        ones('s', 'h0'),
        ...chain('Concat', 22, [int('axis', 0)]),
        ...Array.from({ length: 200 }, (_, i) => node('Concat', ['h21', 'h21'], [`t${i}`], [int('axis', 0)])),
      ],
      [whole('s', [1])],
    ),
  'places of what is not zero among four million numbers, a hundred times': () =>
    besideProduct(
      [ones('s', 'big'), ...Array.from({ length: 100 }, (_, i) => node('NonZero', ['big'], [`t${i}`]))],
      [whole('s', [2 ** 22])],
    ),
  'a hundred running sums of four million numbers': () =>
    besideProduct(
      [ones('s', 'big'), ...Array.from({ length: 100 }, (_, i) => node('CumSum', ['big', 'axis'], [`t${i}`]))],
      [whole('s', [2 ** 22]), whole('axis', [0], [])],
    ),
  'a convolution of whole numbers with a kernel of its own size': () =>
    besideProduct(
      [
        ones('s', 'image'),
        ones('k', 'kernel'),
        node('Conv', ['image', 'kernel'], ['c'], [ints('pads', [1023, 1023, 1023, 1023]), ints('kernel_shape', [1024, 1024])]),
      ],
      [whole('s', [1, 1, 1024, 1024]), whole('k', [1, 1, 1024, 1024])],
    ),
  'sixty doublings of one number': () => besideProduct([ones('s', 'h0'), ...chain('Add', 60)], [whole('s', [1])]),
};

function transpositions(count: number): Message[] {
  return Array.from({ length: count }, (_, i) => node('Transpose', [`h${i}`], [`h${i + 1}`], [ints('perm', [1, 0])]));
}

/** An honest model with so many megabytes of weights that are not trained. */
export function frozenModel(megabytes: number): Uint8Array {
  const rows = (megabytes * 1e6) / 4 / 3000;
  const layers = Array.from({ length: 10 }, (_, i) => `frozen${i}`);
  const each = Math.floor(rows / layers.length);
  const weights = layers.map((name, i) => {
    const data = new Float32Array(each * 3000).fill(0.001 * (i + 1));
    return { name, dims: [each, 3000], dataType: float, rawData: new Uint8Array(data.buffer) };
  });
  // Each is taken as it is, which exporters write where weights are shared, and added to the data.
  const uses = layers.flatMap((name, i) => [
    node('Identity', [name], [`same${i}`]),
    node('ReduceSum', [`same${i}`], [`sum${i}`], [int('keepdims', 0)]),
    node('Add', [i === 0 ? 'x' : `x${i - 1}`, `sum${i}`], [`x${i}`]),
  ]);
  return encodeModel({
    irVersion: 8,
    opsetImport: [{ version: 17 }],
    graph: {
      node: [...uses, node('MatMul', ['x9', 'w'], ['y'])],
      initializer: [{ name: 'w', dims: [3, 2], dataType: float, rawData: new Uint8Array(24).fill(60) }, ...weights],
      input: [info('x', float, 'batch', 3)],
      output: [{ name: 'y' }],
    },
  });
}
