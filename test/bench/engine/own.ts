/** Our own engine as a contender of the bench, in a process of its own: see `contender.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createProbeModel, loadModel, type ProbeSet } from '#engine/index.js';
import type { Block } from '#math/vector-space.js';
import type { Answer, Command } from './contender.js';
import { modelFile, vectorCount, workloadNamed } from './workloads.js';

/** Answers are brought to the host only when they are wanted. */
type Work = (wanted: boolean) => Promise<Float32Array>;
type Works = Readonly<Record<string, Work>>;

interface Loaded {
  readonly works: Works;
  readonly facts: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

type Load = Extract<Command, { do: 'load' }>;

const threads = Number(process.env['BENCH_THREADS'] ?? 2);
let loaded: Loaded | undefined;

function bytesOf(folder: string, name: string): ArrayBuffer {
  const bytes = readFileSync(join(folder, `${name}.bin`));
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}

function repeated(bytes: ArrayBuffer, times: number): ArrayBuffer {
  const all = new Uint8Array(bytes.byteLength * times);
  for (let i = 0; i < times; i++) all.set(new Uint8Array(bytes), i * bytes.byteLength);
  return all.buffer;
}

async function load({ workload: name, folder, memoryMiB, times = 1 }: Load): Promise<Loaded> {
  const { parameters, x, y } = workloadNamed(name);
  const [xs, ys] = [repeated(bytesOf(folder, 'x'), times), repeated(bytesOf(folder, 'y'), times)];
  const larger = ([examples = 0, ...shape]: readonly number[]): number[] => [examples * times, ...shape];
  const probeSet: ProbeSet = {
    x:
      x.below === undefined
        ? { dtype: 'float32', shape: larger(x.shape), data: new Float32Array(xs) }
        : { dtype: 'int64', shape: larger(x.shape), data: new BigInt64Array(xs) },
    y: { dtype: 'int64', shape: larger(y.shape), data: new BigInt64Array(ys) },
  };
  const theta = new Float32Array(bytesOf(folder, 'theta'));
  const all = new Float32Array(bytesOf(folder, 'vectors'));
  const vectors = Array.from({ length: vectorCount }, (_, k) => all.subarray(k * theta.length, (k + 1) * theta.length));
  const bytes = readFileSync(modelFile(name));

  const start = performance.now();
  const graph = loadModel({
    format: 'onnx',
    bytes,
    parameters: parameters.map((parameter) => parameter.name),
    loss: { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false },
  });
  const model = createProbeModel({ graph, probeSet, threads, ...(memoryMiB && { memoryBytes: memoryMiB * 2 ** 20 }) });
  const imported = performance.now();
  const { space } = model;
  const singles = await Promise.all(vectors.map((vector) => space.fromHost([vector])));
  const block = await space.fromHost(vectors);
  const eight = await space.fromHost([...vectors, ...vectors]);
  const before = performance.now();
  const point = await model.linearize(theta);
  space.release(await point.multiplyBlock(singles[0]!));
  // With the first run of each graph, which opening a session cannot be told from.
  const preparationMs = imported - start + (performance.now() - before);

  /** The last product of a block, brought to the host where it is wanted. */
  const multiplied = async (given: Block, wanted: boolean): Promise<Float32Array> => {
    const products = await point.multiplyBlock(given);
    const last = wanted ? (await space.toHost(products)).at(-1)! : new Float32Array(0);
    space.release(products);
    return last;
  };
  /** What a tracker does with a product: inner products with eight vectors, and a combination of them. */
  const tracked = async (wanted: boolean): Promise<Float32Array> => {
    const product = await point.multiplyBlock(singles[0]!);
    await space.gram(eight, product);
    const combined = await space.combine([{ block: eight, coefficients: [Array.from({ length: eight.count }, () => 0.1)] }]);
    const answer = wanted ? (await space.toHost(product))[0]! : new Float32Array(0);
    space.release(product, combined);
    return answer;
  };
  return {
    works: {
      gradient: async () => (await model.gradient(theta)).gradient,
      'primal part': async () => {
        const next = await model.linearize(theta);
        await next.close();
        return next.gradient;
      },
      kept: (wanted) => multiplied(singles[0]!, wanted),
      tracked,
      four: (wanted) => multiplied(block, wanted),
      ...Object.fromEntries(singles.map((single, k) => [`product ${k}`, (wanted: boolean) => multiplied(single, wanted)])),
    },
    facts: {
      preparationMs,
      importMs: imported - start,
      keptMB: model.keptBytes / 1e6,
      peakMB: process.resourceUsage().maxRSS / 1000,
    },
    close: async () => {
      await point.close();
      await model.close();
    },
  };
}

async function minimumMs(work: Work, repeats: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await work(false);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function workNamed(what: string): Work {
  const work = loaded?.works[what];
  if (work === undefined) throw new Error(`There is no '${what}'`);
  return work;
}

async function answer(command: Command): Promise<Answer> {
  switch (command.do) {
    case 'load':
      loaded = await load(command);
      return { can: Object.keys(loaded.works), facts: loaded.facts };
    case 'time':
      return { ms: await minimumMs(workNamed(command.what), command.repeats) };
    case 'result':
      writeFileSync(command.file, Float64Array.from(await workNamed(command.what)(true)));
      return {};
    case 'drop':
    default:
      await loaded?.close();
      loaded = undefined;
      return {};
  }
}

for await (const line of createInterface(process.stdin)) {
  const said = await answer(JSON.parse(line) as Command).catch((error: unknown): Answer => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
