import * as ort from 'onnxruntime-node';
import { exportOnnx, type DType, type Graph } from '#graph/index.js';
import type { DeviceTensor, Executor, HostData, Program } from './executor.js';

interface OrtTensor extends DeviceTensor {
  readonly value: ort.Tensor;
}

const bytesOf = (value: ort.Tensor): number => (value.data as ArrayBufferView).byteLength;
function tensorOf(shape: readonly number[], data: HostData, dtype: DType): ort.Tensor {
  const numbers = data as ArrayLike<number | bigint>;
  switch (dtype) {
    case 'int64':
      return new ort.Tensor('int64', data instanceof BigInt64Array ? data : BigInt64Array.from(numbers, BigInt), shape);
    case 'bool':
      return new ort.Tensor('bool', data instanceof Uint8Array ? data : Uint8Array.from(numbers, Number), shape);
    case 'float32':
    default:
      return new ort.Tensor('float32', data instanceof Float32Array ? data : Float32Array.from(numbers, Number), shape);
  }
}

const wrap = (value: ort.Tensor): OrtTensor => ({ value, bytes: bytesOf(value) });

/**
 * ONNX Runtime on the CPU. `session.run` computes on the calling thread and its pool, so a process that has other things
 * to do calls it from a worker thread.
 */
export function createOrtExecutor(options: { readonly threads?: number | undefined } = {}): Executor<OrtTensor> {
  const sessionOptions: ort.InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    interOpNumThreads: 1,
    // Errors come as exceptions; its warnings on standard error are about the optimisation of graphs.
    logSeverityLevel: 3,
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
  };
  return {
    name: 'ort-cpu',
    upload: (shape, data, dtype = 'float32') => wrap(tensorOf(shape, data, dtype)),
    download: async ({ value: { data } }) =>
      data instanceof Float32Array ? data : Float32Array.from(data as Uint8Array, Number),
    // The garbage collector's, like every array.
    release: () => {},
    close: async () => {},
    compile: async (graph: Graph): Promise<Program<OrtTensor>> => {
      const session = await ort.InferenceSession.create(exportOnnx(graph), sessionOptions);
      return {
        run: async (inputs) => {
          const feeds: Record<string, ort.Tensor> = {};
          // ONNX Runtime refuses inputs that the optimiser found to be unused.
          for (const name of session.inputNames) {
            const tensor = inputs[name];
            if (tensor !== undefined) feeds[name] = tensor.value;
          }
          const results = await session.run(feeds);
          return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, wrap(value)]));
        },
        close: () => session.release(),
      };
    },
  };
}
