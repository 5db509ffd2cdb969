import type * as Ort from 'onnxruntime-node';
import { exportOnnx, isFree, type Graph } from '#graph/index.js';
import type { DeviceTensor, Executor, Program } from '../executor.js';
import { createDownloads } from './ort-downloads.js';
import { nodesForCpu } from './ort-webgpu-repairs.js';
import { bytesOf, hostArray, loadOrt, numbersOf } from './ort-tensors.js';

interface OrtTensor extends DeviceTensor {
  readonly value: Ort.Tensor;
}

export interface OrtOptions {
  /** Who computes. What a graphics card cannot run, such as arithmetic of whole numbers, ONNX Runtime gives to the CPU. */
  readonly provider: 'cuda' | 'webgpu';
  readonly threads?: number | undefined;
}

const wrap = (value: Ort.Tensor): OrtTensor => ({ value, bytes: bytesOf(value) });

/**
 * ONNX Runtime on a graphics card, through its binding for Node. With WebGPU results stay on the device until they are
 * downloaded; the binding cannot keep those of CUDA there, so they come to the host after each run.
 */
export function createOrtGpuExecutor({ provider, threads }: OrtOptions): Executor<OrtTensor> {
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
    upload: (shape, data, dtype = 'float32') => wrap(new ort.Tensor(dtype, hostArray(data, dtype), shape)),
    download: async ({ value }) => numbersOf((value.location === 'cpu' ? value : await downloads.toHost(value)).data),
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
          const places = into === undefined || provider === 'webgpu' ? undefined : tensorsOver(ort, graph, into);
          const results = await (places === undefined
            ? session.run(feeds)
            : session.run(feeds, placed(session.outputNames, places)));
          return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, wrap(places?.get(name) ?? value)]));
        },
        close: () => session.release(),
      };
    },
  };
}

/** ONNX Runtime writes into these; what its binding for Node then answers is a copy. */
function tensorsOver(ort: typeof Ort, { outputs }: Graph, into: Readonly<Record<string, Float32Array>>): Map<string, Ort.Tensor> {
  return new Map(
    outputs.flatMap(({ name, shape }) => {
      const place = into[name];
      return place === undefined || shape.some(isFree) ? [] : [[name, new ort.Tensor('float32', place, shape.map(Number))]];
    }),
  );
}

/** Outputs without a place get one by ONNX Runtime. */
const placed = (names: readonly string[], places: ReadonlyMap<string, Ort.Tensor>): Record<string, Ort.Tensor | null> =>
  Object.fromEntries(names.map((name) => [name, places.get(name) ?? null]));

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
