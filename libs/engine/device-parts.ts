/**
 * Vectors cut into the parameters' parts and put together again on the executor, so that none goes through the host. Sums over
 * chunks are kept as two float32 numbers, the sum and what its rounding lost (Knuth 1969, The Art of Computer Programming 2,
 * section 4.2.2, theorem B): about as exact as double precision.
 */
import { GraphBuilder } from '#graph/builder.js';
import { add, mul, reshape, sub } from '#graph/emit.js';
import { concat, sliceAlong } from '#graph/emit/shape.js';
import type { Graph } from '#graph/index.js';
import type { Value } from '#graph/op.js';
import { output, type DeviceTensor, type Executor, type Program } from './executor.js';
import type { ExecutorSpace } from './executor-space.js';
import type { ParameterLayout } from './parameter-layout.js';
import type { PieceLayout } from './piece-layout.js';
import type { VectorParts, VectorSums } from './vector-parts.js';

type Tensors<T> = Readonly<Record<string, T>>;

interface Sum<T> {
  readonly sum: T;
  readonly lost: T;
}

export function deviceParts<T extends DeviceTensor>(
  executor: Executor<T>,
  space: ExecutorSpace<T>,
  parameters: ParameterLayout,
): VectorParts<T> {
  const programs = new Programs(executor);
  const { layout } = space;

  const split: VectorParts<T>['split'] = async (block) => {
    const vectors: T[][] = [];
    for (const { tensor, count } of space.of(block).runs) {
      const program = await programs.get(`split ${count}`, () => splitGraph(layout, parameters, count));
      const outputs = await program.run({ vectors: tensor });
      for (let k = 0; k < count; k++) vectors.push(parameters.map((_, i) => output(outputs, `${k}/${i}`)));
    }
    return {
      vectors,
      release: () => {
        for (const part of vectors.flat()) executor.release(part);
      },
    };
  };

  const added = async (old: Sum<T> | undefined, parts: Tensors<T>): Promise<Sum<T>> => {
    const program = await programs.get(old === undefined ? 'join' : 'add', () => sumGraph(layout, parameters, old !== undefined));
    const outputs = await program.run({ ...parts, ...old });
    if (old !== undefined) for (const tensor of [old.sum, old.lost]) executor.release(tensor);
    return { sum: output(outputs, 'newSum'), lost: output(outputs, 'newLost') };
  };

  const sums = (count: number): VectorSums<T> => {
    const all = new Map<number, Sum<T>>();
    return {
      add: async (k, outputs, names) => {
        const parts = Object.fromEntries(names.map((name, i) => [`part/${i}`, output(outputs, name)]));
        all.set(k, await added(all.get(k), parts));
      },
      finish: async (factor) => {
        const program = await programs.get('finish', () => finishGraph(layout));
        const scale = executor.upload([], Float32Array.of(factor));
        const blocks = [];
        for (let k = 0; k < count; k++) {
          const { sum, lost } = all.get(k)!;
          blocks.push(space.adopt(output(await program.run({ sum, lost, scale }), 'result'), 1));
          executor.release(sum);
          executor.release(lost);
        }
        executor.release(scale);
        const joined = await space.join(blocks);
        for (const block of blocks) space.release(block);
        return joined;
      },
    };
  };
  return { split, sums, close: () => programs.close() };
}

/** Compiled when they are first needed. */
class Programs<T extends DeviceTensor> {
  readonly #executor: Executor<T>;
  readonly #known = new Map<string, Promise<Program<T>>>();

  constructor(executor: Executor<T>) {
    this.#executor = executor;
  }

  get(key: string, graph: () => Graph): Promise<Program<T>> {
    const program = this.#known.get(key) ?? this.#executor.compile(graph());
    this.#known.set(key, program);
    return program;
  }

  async close(): Promise<void> {
    const programs = [...this.#known.values()];
    this.#known.clear();
    for (const program of programs) await (await program).close();
  }
}

function input(builder: GraphBuilder, name: string, shape: readonly number[]): Value {
  return builder.input({ name, role: 'data', dtype: 'float32', shape });
}

function splitGraph({ pieces, pieceLength }: PieceLayout, parameters: ParameterLayout, count: number): Graph {
  const builder = new GraphBuilder();
  const vectors = input(builder, 'vectors', [pieces, count, pieceLength]);
  const outputs = Array.from({ length: count }, (_, k) => {
    const flat = reshape(builder, sliceAlong(builder, vectors, 1, k, 1), [pieces * pieceLength]);
    return parameters.map(({ shape, offset, size }, i) => ({
      name: `${k}/${i}`,
      value: reshape(builder, sliceAlong(builder, flat, 0, offset, size), shape),
    }));
  });
  return builder.build(outputs.flat());
}

/** The parts as one vector, added to a sum if there is one. */
function sumGraph({ pieces, pieceLength, size }: PieceLayout, parameters: ParameterLayout, onTop: boolean): Graph {
  const builder = new GraphBuilder();
  const parts = parameters.map(({ shape, size: length }, i) => reshape(builder, input(builder, `part/${i}`, shape), [length]));
  const filling = pieces * pieceLength - size;
  const zeros = filling === 0 ? [] : [builder.constant([filling], new Float32Array(filling))];
  const all = [...parts, ...zeros];
  const flat = all.length === 1 ? all[0]! : concat(builder, all, 0);
  const vector = reshape(builder, flat, [pieces, 1, pieceLength]);
  if (!onTop) {
    const lost = builder.constant([pieces, 1, pieceLength], new Float32Array(pieces * pieceLength));
    return builder.build([
      { name: 'newSum', value: vector },
      { name: 'newLost', value: lost },
    ]);
  }
  const [sum, lost] = [input(builder, 'sum', [pieces, 1, pieceLength]), input(builder, 'lost', [pieces, 1, pieceLength])];
  const total = add(builder, sum, vector);
  const second = sub(builder, total, sum);
  const first = sub(builder, total, second);
  const error = add(builder, sub(builder, sum, first), sub(builder, vector, second));
  return builder.build([
    { name: 'newSum', value: total },
    { name: 'newLost', value: add(builder, lost, error) },
  ]);
}

function finishGraph({ pieces, pieceLength }: PieceLayout): Graph {
  const builder = new GraphBuilder();
  const [sum, lost] = [input(builder, 'sum', [pieces, 1, pieceLength]), input(builder, 'lost', [pieces, 1, pieceLength])];
  const value = mul(builder, add(builder, sum, lost), input(builder, 'scale', []));
  return builder.build([{ name: 'result', value }]);
}
