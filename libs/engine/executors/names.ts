/**
 * In the order in which they are preferred where a trial finds no difference: graphics cards first, and ONNX Runtime before
 * tfjs, whose interpreter takes one node after the other.
 */
export const executorNames = [
  'ort-cuda',
  'tfjs-node-gpu',
  'ort-webgpu',
  'tfjs-webgpu',
  'ort-cpu',
  'tfjs-node',
  'tfjs-wasm',
  'tfjs-cpu',
  'reference',
] as const;

export type ExecutorName = (typeof executorNames)[number];

export const isExecutorName = (name: string): name is ExecutorName => (executorNames as readonly string[]).includes(name);
