import { runReference, type Graph, type ReferenceTensor } from '#graph/index.js';
import type { DeviceTensor, Executor } from '../executor.js';

type Values = Readonly<Record<string, ReferenceTensor>>;

/** Rounded to single precision, so that an executor and the reference compute with the same numbers. */
export const rounded = (inputs: Values): Record<string, ReferenceTensor> =>
  Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]) => [name, { shape, data: data.map(Math.fround) }]));

/** Compiles, runs and gives everything back. Answers the numbers of every output. */
export async function runOnce<T extends DeviceTensor>(
  executor: Executor<T>,
  graph: Graph,
  inputs: Values,
): Promise<Record<string, Float64Array>> {
  const program = await executor.compile(graph);
  const held: T[] = [];
  try {
    const fed: Record<string, T> = {};
    for (const { name, dtype } of graph.inputs) {
      const input = inputs[name];
      if (input === undefined) continue;
      fed[name] = executor.upload(input.shape, input.data, dtype);
      held.push(fed[name]);
    }
    const outputs = await program.run(fed);
    for (const output of Object.values(outputs)) held.push(output);
    const numbers: Record<string, Float64Array> = {};
    for (const [name, tensor] of Object.entries(outputs)) numbers[name] = Float64Array.from(await executor.download(tensor));
    return numbers;
  } finally {
    for (const tensor of held) executor.release(tensor);
    await program.close();
  }
}

/** The same in double precision. */
export const runExactly = (graph: Graph, inputs: Values): Record<string, Float64Array> =>
  Object.fromEntries(Object.entries(runReference(graph, inputs)).map(([name, { data }]) => [name, data]));
