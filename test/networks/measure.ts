import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProbeModel, loadModel, readNpz, type NpyArray } from '#engine/index.js';
import { partOf } from '#engine/probe-set.js';
import { linearize } from '#graph/linearize.js';
import { parametersOf } from '#graph/queries.js';
import { referenceTensor } from '#graph/reference-tensor.js';
import { split } from '#graph/testing/hessian.js';
import { runOrt } from '#graph/testing/ort.js';
import type { About, Errors } from './result.js';

const loss = { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false } as const;

/** A network as exported, with what PyTorch says of it. */
export interface Subject {
  readonly about: About;
  readonly graph: ReturnType<typeof loadModel>;
  readonly array: (name: string) => NpyArray;
  readonly theta: Float32Array;
  readonly vector: Float32Array;
}

export function loadSubject(folder: string, about: About): Subject {
  const arrays = readNpz(readFileSync(join(folder, 'numbers.npz')));
  const array = (name: string): NpyArray => {
    const found = arrays.get(name);
    if (found === undefined) throw new Error(`numbers.npz lacks ${name}`);
    return found;
  };
  const graph = loadModel({
    format: 'onnx',
    bytes: readFileSync(join(folder, 'model.onnx')),
    parameters: about.parameters,
    aliases: about.aliases,
    unused: Object.entries(about.unused).map(([name, shape]) => ({ name, shape })),
    loss,
  });
  return { about, graph, array, theta: numbers(array('theta')), vector: numbers(array('vector')) };
}

const numbers = ({ data }: NpyArray): Float32Array => Float32Array.from(data as Float64Array);
const probeSetOf = ({ array }: Subject) => ({ x: array('x'), y: array('y') });

/** As the engine does it. */
export async function measured(subject: Subject, executor: 'ort-cpu' | 'reference'): Promise<Errors> {
  const { graph, theta, vector } = subject;
  const model = createProbeModel({ graph, probeSet: probeSetOf(subject), executor, threads: 1, memoryBytes: 8 * 1024 ** 3 });
  const point = await model.linearize(theta);
  const [product = new Float32Array()] = await point.multiply([vector]);
  const errors = errorsOf(subject, point.loss, point.gradient, product);
  await point.close();
  await model.close();
  return errors;
}

/** With every convolution as ONNX Runtime's own operator, all examples at once. Losses must have one number an example. */
export async function measuredPlain(subject: Subject): Promise<Errors> {
  const { graph, theta, vector } = subject;
  const { probeSet } = createProbeModel({ graph, probeSet: probeSetOf(subject) });
  const { primal, tangent } = linearize(graph, { convolutions: 'plain', divisor: probeSet.examples });
  const examples = Object.fromEntries(
    probeSet.inputs.map((rows) => {
      const data = Float64Array.from(partOf(rows, 0, probeSet.examples) as ArrayLike<number | bigint>, Number);
      return [rows.name, referenceTensor([probeSet.examples, ...rows.shape], data)];
    }),
  );
  const names = parametersOf(graph).map(({ name }) => name);
  const inputs = { ...examples, ...split(graph, theta, names) };
  const outputs = await runOrt(primal.graph, inputs);
  const kept = Object.fromEntries(
    tangent.graph.inputs.flatMap(({ name, shape }) => {
      const data = outputs[name];
      const sizes = shape.map((dim) => (typeof dim === 'number' ? dim : probeSet.examples * Number(dim.split('*')[1] ?? 1)));
      return data === undefined ? [] : [[name, referenceTensor(sizes, data)] as const];
    }),
  );
  const products = await runOrt(tangent.graph, { ...inputs, ...kept, ...split(graph, vector, tangent.vectors[0] ?? []) });
  const losses = outputs[primal.losses] ?? [];
  const mean = Array.from(losses).reduce((sum, x) => sum + x, 0) / probeSet.examples;
  return errorsOf(subject, mean, joined(outputs, primal.gradients), joined(products, tangent.products[0] ?? []));
}

function joined(values: Readonly<Record<string, Float32Array>>, names: readonly string[]): Float32Array {
  const parts = names.map((name) => values[name] ?? new Float32Array());
  const whole = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function errorsOf({ about, array }: Subject, mean: number, gradient: Float32Array, product: Float32Array): Errors {
  return {
    loss: Math.abs(mean - about.loss) / Math.abs(about.loss),
    gradient: apart(gradient, array('gradient').data as Float64Array),
    product: apart(product, array('product').data as Float64Array),
  };
}

/** ‖a − b‖ / ‖b‖, finite, so that JSON can hold it. */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers where PyTorch has ${b.length}`);
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  const error = Math.sqrt(difference / (size || 1));
  return Number.isFinite(error) ? error : Number.MAX_VALUE;
}
