import type * as Ort from 'onnxruntime-node';
import { exportOnnx, isFree, type Graph } from '#graph/index.js';
import type { DeviceTensor, Executor, Program } from '../executor.js';
import { createDownloads } from './ort-downloads.js';
import { nodesForCpu } from './ort-webgpu-repairs.js';
import { bytesOf, hostNumbers, hostTensor, loadOrt } from './ort-tensors.js';

interface OrtTensor extends DeviceTensor {
  readonly value: Ort.Tensor;
}

export interface OrtOptions {
  /** Who computes. What a graphics card cannot run, such as arithmetic of whole numbers, ONNX Runtime gives to the CPU. */
  readonly provider?: 'cpu' | 'cuda' | 'webgpu';
  readonly threads?: number | undefined;
}

const wrap = (value: Ort.Tensor): OrtTensor => ({ value, bytes: bytesOf(value) });

/**
 * ONNX Runtime. `session.run` computes on the calling thread and its pool, so a process that has other things to do calls it
 * from a worker thread. With WebGPU results stay on the device until they are downloaded; the binding for Node cannot keep
 * those of CUDA there, so they come to the host after each run.
 */
export function createOrtExecutor({ provider = 'cpu', threads }: OrtOptions = {}): Executor<OrtTensor> {
  const ort = loadOrt();
  const sessionOptions: Ort.InferenceSession.SessionOptions = {
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    interOpNumThreads: 1,
    // Errors come as exceptions; its warnings on standard error are about the optimisation of graphs.
    logSeverityLevel: 3,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
  const downloads = createDownloads(ort, sessionOptions);
  return {
    name: `ort-${provider}`,
    inHostMemory: provider !== 'webgpu',
    upload: (shape, data, dtype = 'float32') => wrap(hostTensor(ort, shape, data, dtype)),
    download: async ({ value }) => hostNumbers(value.location === 'cpu' ? value : await downloads.toHost(value)),
    // In the host's memory it is the garbage collector's, like every array.
    release: ({ value }) => {
      if (value.location !== 'cpu') value.dispose();
    },
    close: () => downloads.close(),
    compile: async (graph: Graph): Promise<Program<OrtTensor>> => {
      const onnx = exportOnnx(graph);
      const session = await ort.InferenceSession.create(onnx, {
        ...sessionOptions,
        ...(provider === 'webgpu' && webGpuOptions(onnx, graph)),
      });
      return {
        run: async (inputs, into) => {
          const feeds: Record<string, Ort.Tensor> = {};
          // ONNX Runtime refuses inputs that the optimiser found to be unused.
          for (const name of session.inputNames) {
            const tensor = inputs[name];
            if (tensor !== undefined) feeds[name] = tensor.value;
          }
          const results = await (into === undefined || provider === 'webgpu'
            ? session.run(feeds)
            : session.run(feeds, fetchesFor(ort, session.outputNames, graph, into)));
          return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, wrap(value)]));
        },
        close: () => session.release(),
      };
    },
  };
}

/** A place for each output that has one; ONNX Runtime makes the others. */
function fetchesFor(
  ort: typeof Ort,
  names: readonly string[],
  { outputs }: Graph,
  into: Readonly<Record<string, Float32Array>>,
): Ort.InferenceSession.NullableOnnxValueMapType {
  const shapes = new Map(outputs.map(({ name, shape }) => [name, shape]));
  return Object.fromEntries(
    names.map((name) => {
      const [place, shape = []] = [into[name], shapes.get(name)];
      return [name, place === undefined || shape.some(isFree) ? null : new ort.Tensor('float32', place, shape.map(Number))];
    }),
  );
}

function webGpuOptions(onnx: Uint8Array, { outputs }: Graph): Ort.InferenceSession.SessionOptions {
  const forceCpuNodeNames = nodesForCpu(onnx);
  return {
    // An empty list is an error.
    executionProviders: [{ name: 'webgpu', ...(forceCpuNodeNames.length > 0 && { forceCpuNodeNames }) }],
    // Whole numbers and truth values are computed by the CPU and stay with it.
    preferredOutputLocation: Object.fromEntries(
      outputs.map(({ name, dtype }) => [name, dtype === 'float32' ? 'gpu-buffer' : 'cpu']),
    ),
  };
}
