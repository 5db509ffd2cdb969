import { referenceTensor, runReference, type ReferenceTensor } from '#graph/index.js';
import type { DeviceTensor, Executor } from '../executor.js';

interface HostTensor extends DeviceTensor {
  readonly value: ReferenceTensor;
}

const wrap = (value: ReferenceTensor): HostTensor => ({ value, bytes: value.data.byteLength });

/** The interpreter in double precision: slow, and the oracle for every other executor. */
export function createReferenceExecutor(): Executor<HostTensor> {
  return {
    name: 'reference',
    inHostMemory: true,
    upload: (shape, data) => wrap(referenceTensor(shape, Float64Array.from(data as ArrayLike<number | bigint>, Number))),
    download: async (tensor) => tensor.value.data,
    release: () => {},
    close: async () => {},
    compile: async (graph) => ({
      run: async (inputs) => {
        const values: Record<string, ReferenceTensor> = {};
        for (const { name } of graph.inputs) {
          const tensor = inputs[name];
          if (tensor !== undefined) values[name] = tensor.value;
        }
        const outputs = runReference(graph, values);
        return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, wrap(value)]));
      },
      close: async () => {},
    }),
  };
}
