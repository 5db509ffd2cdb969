import { cpus } from 'node:os';
import { exportOnnx, type Graph } from '#graph/index.js';
import { hasGpu, hasNvidiaGpu, needWebGpuDriver } from './gpu.js';
import { ExecutorRefused, firstLine, type ExecutorSettings, type OpenExecutor } from './open-executor.js';
import { createOrtExecutor } from './ort.js';
import { loadOrt } from './ort-tensors.js';

type Provider = 'cpu' | 'cuda' | 'webgpu';

/** One addition: enough to see that a provider finds its device. */
const smallest: Graph = {
  inputs: [{ name: 'x', role: 'data', dtype: 'float32', shape: [1] }],
  constants: [],
  nodes: [{ op: 'neg', inputs: ['x'], output: 'y', attributes: {}, dtype: 'float32', shape: [1] }],
  outputs: [{ name: 'y', value: 'y', dtype: 'float32', shape: [1] }],
};

export async function openOrt(provider: Provider, { threads }: ExecutorSettings): Promise<OpenExecutor> {
  const ort = loaded();
  if (!ort.listSupportedBackends().some(({ name }) => name === provider)) {
    throw new ExecutorRefused(
      'platform',
      `onnxruntime-node has no provider '${provider}' on ${process.platform} ${process.arch}`,
    );
  }
  if (provider === 'cuda' && !hasNvidiaGpu()) {
    throw new ExecutorRefused('gpu', 'no NVIDIA graphics card was found (there is no /dev/nvidia0)');
  }
  if (provider === 'webgpu') needWebGpuDriver();
  try {
    const session = await ort.InferenceSession.create(exportOnnx(smallest), {
      executionProviders: [provider],
      logSeverityLevel: 4,
    });
    await session.run({ x: new ort.Tensor('float32', Float32Array.of(1), [1]) });
    await session.release();
  } catch (error) {
    throw refused(provider, error);
  }
  return {
    executor: createOrtExecutor({ provider, threads }),
    hardware: hardwareOf(provider, threads),
    emulated: provider === 'webgpu' && !hasGpu(),
  };
}

function loaded(): ReturnType<typeof loadOrt> {
  try {
    return loadOrt();
  } catch (error) {
    throw new ExecutorRefused('package', `onnxruntime-node cannot be loaded: ${firstLine(error)}`, error);
  }
}

function refused(provider: Provider, error: unknown): ExecutorRefused {
  if (provider === 'webgpu') {
    return new ExecutorRefused('gpu', `no graphics driver was found that WebGPU can use: ${lastClause(error)}`, error);
  }
  if (provider === 'cuda') {
    return new ExecutorRefused(
      'package',
      `its CUDA libraries cannot be loaded ('npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12' brings them; CUDA 12 and cuDNN 9 must be installed): ${firstLine(error)}`,
      error,
    );
  }
  return new ExecutorRefused('package', `ONNX Runtime does not work here: ${firstLine(error)}`, error);
}

function hardwareOf(provider: Provider, threads: number | undefined): string {
  if (provider === 'cuda') return 'an NVIDIA graphics card';
  if (provider === 'webgpu') return hasGpu() ? 'a graphics card' : 'a software driver';
  return `${threads ?? cpus().length} threads of ${cpus()[0]?.model ?? 'the CPU'}`;
}

/** Errors of ONNX Runtime begin with a path of its source. */
const lastClause = (error: unknown): string => firstLine(error).replace(/^.* was false\. /, '');
