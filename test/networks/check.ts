/**
 * Imports the networks that `make.py` has exported, and compares loss, gradient and a Hessian product with PyTorch's.
 *
 *     /path/to/python test/networks/make.py OUT && npm run build && node dist/test/networks/check.js OUT [--write]
 *
 * With --write the table goes to `docs/foreign-networks.md`.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProbeModel, loadModel, readNpz, type NpyArray } from '#engine/index.js';
import { page } from './page.js';
import { agrees, type About, type Result } from './result.js';

const loss = { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false } as const;

/** ‖a − b‖ / ‖b‖ */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(difference / (size || 1));
}

function array(arrays: ReadonlyMap<string, NpyArray>, name: string): NpyArray {
  const found = arrays.get(name);
  if (found === undefined) throw new Error(`numbers.npz lacks ${name}`);
  return found;
}

async function measured(
  graph: ReturnType<typeof loadModel>,
  arrays: ReadonlyMap<string, NpyArray>,
  about: About,
  executor: 'ort-cpu' | 'reference',
): Promise<{ loss: number; gradient: number; product: number }> {
  const probeSet = { x: array(arrays, 'x'), y: array(arrays, 'y') };
  const model = createProbeModel({ graph, probeSet, executor, threads: 1 });
  const point = await model.linearize(Float32Array.from(array(arrays, 'theta').data as Float32Array));
  const [product] = await point.multiply([Float32Array.from(array(arrays, 'vector').data as Float64Array)]);
  const errors = {
    loss: Math.abs(point.loss - about.loss) / Math.abs(about.loss),
    gradient: apart(point.gradient, array(arrays, 'gradient').data as Float64Array),
    product: apart(product ?? [], array(arrays, 'product').data as Float64Array),
  };
  await point.close();
  await model.close();
  return errors;
}

async function check(folder: string): Promise<Result> {
  const about = JSON.parse(readFileSync(join(folder, 'about.json'), 'utf8')) as About;
  if (about.failure !== null) return { about, problem: `the exporter fails: ${about.failure}` };
  const began = performance.now();
  try {
    const arrays = readNpz(readFileSync(join(folder, 'numbers.npz')));
    const graph = loadModel({
      format: 'onnx',
      bytes: readFileSync(join(folder, 'model.onnx')),
      parameters: about.parameters,
      aliases: about.aliases,
      unused: Object.entries(about.unused).map(([name, shape]) => ({ name, shape })),
      loss,
    });
    const preparedMs = performance.now() - began;
    const single = await measured(graph, arrays, about, 'ort-cpu');
    const result: Result = { about, preparedMs, ...single };
    // Rounding turns a unit of ReLU on or off where it is nearly 0; double precision tells that from a mistake.
    return agrees(result) ? result : { ...result, exact: await measured(graph, arrays, about, 'reference') };
  } catch (error) {
    return { about, problem: error instanceof Error ? error.message : String(error) };
  }
}

const [out = '', ...flags] = process.argv.slice(2);
const only = flags.filter((flag) => !flag.startsWith('--'));
const results: Result[] = [];
for (const name of readdirSync(out).sort()) {
  const folder = join(out, name);
  if (!existsSync(join(folder, 'done')) || (only.length > 0 && !only.some((part) => name.includes(part)))) continue;
  // What was compared before is not compared again; make.py begins a folder anew.
  const kept = join(folder, 'result.json');
  const result = existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as Result) : await check(folder);
  writeFileSync(kept, JSON.stringify(result));
  results.push(result);
  const numbers = [result.loss, result.gradient, result.product].map((x) => x?.toExponential(1) ?? '–').join('  ');
  process.stdout.write(`${name.padEnd(50)} ${result.problem?.slice(0, 260) ?? numbers}\n`);
}
if (flags.includes('--write')) writeFileSync(new URL('../../../docs/foreign-networks.md', import.meta.url), page(results));
