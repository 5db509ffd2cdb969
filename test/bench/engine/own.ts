/** Our own engine as a contender of the bench, in a process of its own: see `contender.ts`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createProbeModel, loadModel, type ProbeSet } from '#engine/index.js';
import type { Answer, Command } from './contender.js';
import { modelFile, vectorCount, workloadNamed } from './workloads.js';

type Works = Readonly<Record<string, () => Promise<Float32Array>>>;

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
  let point = await model.linearize(theta);
  const opened = performance.now();
  await point.close();
  point = await model.linearize(theta);
  const again = performance.now();
  await point.multiply(vectors.slice(0, 1));

  const one = async (k: number): Promise<Float32Array> => (await point.multiply(vectors.slice(k, k + 1)))[0]!;
  return {
    works: {
      gradient: async () => (await model.gradient(theta)).gradient,
      'primal part': async () => {
        const next = await model.linearize(theta);
        await next.close();
        return next.gradient;
      },
      kept: () => one(0),
      four: async () => (await point.multiply(vectors)).at(-1)!,
      ...Object.fromEntries(vectors.map((_, k) => [`product ${k}`, () => one(k)])),
    },
    // What the first linearisation takes longer than the second is the opening of sessions.
    facts: {
      preparationMs: opened - start - (again - opened),
      importMs: imported - start,
      peakMB: process.resourceUsage().maxRSS / 1000,
    },
    close: async () => {
      await point.close();
      await model.close();
    },
  };
}

async function minimumMs(work: () => Promise<unknown>, repeats: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function workNamed(what: string): () => Promise<Float32Array> {
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
      writeFileSync(command.file, Float64Array.from(await workNamed(command.what)()));
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
