import { cpus } from 'node:os';
import type { ExecutorName } from './names.js';
import type { ExecutorSettings, OpenExecutor } from './open-executor.js';
import { openOrtCpu, openOrtGpu } from './ort-providers.js';
import { createReferenceExecutor } from './reference.js';
import { openTfjsCpu, openTfjsWasm } from './tfjs-core-backends.js';
import { openTfjsNode } from './tfjs-node.js';
import { openTfjsWebGpu } from './tfjs-webgpu.js';

export interface ExecutorKind {
  readonly about: string;
  /** Throws ExecutorRefused when it cannot start here. */
  readonly open: (settings: ExecutorSettings) => Promise<OpenExecutor>;
}

/** Every executor that there is. */
export const catalog: Readonly<Record<ExecutorName, ExecutorKind>> = {
  'ort-cuda': { about: 'ONNX Runtime on CUDA', open: (settings) => openOrtGpu('cuda', settings) },
  'tfjs-node-gpu': { about: 'tfjs on TensorFlow with CUDA', open: (settings) => openTfjsNode('tfjs-node-gpu', settings) },
  'ort-webgpu': { about: 'ONNX Runtime on WebGPU', open: (settings) => openOrtGpu('webgpu', settings) },
  'tfjs-webgpu': { about: 'tfjs on WebGPU', open: openTfjsWebGpu },
  'ort-cpu': { about: 'ONNX Runtime on the CPU', open: openOrtCpu },
  'tfjs-node': { about: 'tfjs on TensorFlow, on the CPU', open: (settings) => openTfjsNode('tfjs-node', settings) },
  'tfjs-wasm': { about: 'tfjs in WebAssembly', open: openTfjsWasm },
  'tfjs-cpu': { about: 'tfjs in plain JavaScript', open: openTfjsCpu },
  reference: {
    about: 'the interpreter in double precision',
    open: async () => ({
      executor: createReferenceExecutor(),
      hardware: `one core of ${cpus()[0]?.model ?? 'the CPU'}`,
      emulated: false,
    }),
  },
};
