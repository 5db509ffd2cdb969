import * as ort from 'onnxruntime-node';
import { exportOnnx, type Graph } from '#graph/index.js';
import type { DeviceTensor, Executor, Program } from './executor.js';

interface OrtTensor extends DeviceTensor {
  readonly value: ort.Tensor;
}

const bytesOf = (value: ort.Tensor): number => (value.data as ArrayBufferView).byteLength;
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
    upload: (shape, data) => wrap(new ort.Tensor('float32', data, shape)),
    download: (tensor) => tensor.value.data as Float32Array,
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
