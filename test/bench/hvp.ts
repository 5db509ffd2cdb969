/**
 * One Hessian-vector product against one gradient: MLP 3072-200-200-10, tanh, cross-entropy, 1000 examples.
 * `npm run build && node dist/test/bench/hvp.js [threads]`: minimum and median over calm turns, as a table and as JSON.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createProbeModel, type ProbeModel } from '#engine/index.js';
import { attachLoss, mlp } from '#graph/index.js';
import { createRandom, normalVector } from '#math/random.js';
import { trackTop } from '#math/ritz-tracker.js';

const sizes = [3072, 200, 200, 10];
const examples = 1000;
const turns = 25;
const threads = Number(process.argv[2] ?? 2);

interface Row {
  readonly what: string;
  readonly minimumMs: number;
  readonly medianMs: number;
}

async function time(what: string, work: () => Promise<unknown>): Promise<Row> {
  await work();
  const times: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { what, minimumMs: times[0]!, medianMs: times[turns >> 1]! };
}

function initial(model: ProbeModel, seed: number): Float32Array {
  const random = createRandom(seed);
  const theta = new Float32Array(model.parameterCount);
  for (const { shape, offset, size } of model.parameters) {
    if (shape.length < 2) continue;
    const spread = 1 / Math.sqrt(shape[0]!);
    for (let i = 0; i < size; i++) theta[offset + i] = spread * random.normal();
  }
  return theta;
}

const random = createRandom(1);
const graph = attachLoss(mlp({ sizes, activation: 'tanh' }), { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false });
const model = createProbeModel({
  graph,
  threads,
  probeSet: {
    x: { dtype: 'float32', shape: [examples, sizes[0]!], data: normalVector(examples * sizes[0]!, random) },
    y: { dtype: 'int64', shape: [examples], data: BigInt64Array.from({ length: examples }, () => BigInt(random.integer(10))) },
  },
});
const theta = initial(model, 2);
const vectors = Array.from({ length: 4 }, () => normalVector(model.parameterCount, random));

const rows: Row[] = [await time('gradient', () => model.gradient(theta))];
rows.push(
  await time('linearize', async () => {
    await (await model.linearize(theta)).close();
  }),
);
const point = await model.linearize(theta);
rows.push(await time('multiply, 1 vector', () => point.multiply(vectors.slice(0, 1))));
rows.push(await time('multiply, 4 vectors', () => point.multiply(vectors)));

const operator = { size: model.parameterCount, multiply: (v: readonly Float32Array[]) => point.multiply(v) };
const start = performance.now();
const top = await trackTop(operator, { relativeTolerance: 1e-3 });
const coldMs = performance.now() - start;
const coldProducts = top.products;
const warm = top.kind === 'found' ? await time('λ1, warm and unchanged', () => trackTop(operator, {}, top)) : undefined;

const gradientMs = rows[0]!.minimumMs;
const table = [...rows, ...(warm === undefined ? [] : [warm])].map((row) => ({
  what: row.what,
  'min ms': row.minimumMs.toFixed(1),
  'median ms': row.medianMs.toFixed(1),
  'min over gradient': (row.minimumMs / gradientMs).toFixed(2),
}));
console.table(table);
console.log(
  `λ1 cold: ${coldProducts} products, ${coldMs.toFixed(0)} ms; ${threads} threads, ${model.device}, node ${process.version}`,
);
mkdirSync('test/bench/out', { recursive: true });
writeFileSync(
  'test/bench/out/hvp.json',
  JSON.stringify({ sizes, examples, threads, device: model.device, rows, warm, coldProducts, coldMs }, undefined, 2),
);
await point.close();
await model.close();
