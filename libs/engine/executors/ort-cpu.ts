import { setImmediate } from 'node:timers/promises';
import type { DeviceTensor, Executor } from '../executor.js';
import { openOrtLibrary } from './ort-library.js';
import { OrtSession, type HostArray } from './ort-session.js';
import { hostArray, numbersOf } from './ort-tensors.js';

type OrtTensor = DeviceTensor & HostArray;

const wrap = (array: HostArray): OrtTensor => ({ ...array, bytes: array.data.byteLength });

/**
 * ONNX Runtime on the CPU; its tensors are arrays. A run computes on the calling thread and its pool, so a process that has
 * other things to do calls it from a worker thread.
 */
export function createOrtCpuExecutor({ threads }: { readonly threads?: number | undefined } = {}): Executor<OrtTensor> {
  const library = openOrtLibrary();
  return {
    name: 'ort-cpu',
    inHostMemory: true,
    packsConstants: true,
    upload: (shape, data, dtype = 'float32') => wrap({ shape, data: hostArray(data, dtype), dtype }),
    download: async ({ data }) => numbersOf(data),
    // They are the garbage collector's, like every array.
    release: () => {},
    close: async () => {},
    compile: async (graph, { seldom = false } = {}) => {
      const session = new OrtSession(library, graph, threads, !seldom);
      return {
        run: async (inputs, into) => {
          // A chance for everybody else on this thread: a wish to stop must be heard between two runs.
          await setImmediate();
          const results = session.run(inputs, into);
          return Object.fromEntries(Object.entries(results).map(([name, array]) => [name, wrap(array)]));
        },
        close: async () => session.close(),
      };
    },
  };
}
