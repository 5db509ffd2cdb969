import { cpus } from 'node:os';
import { exportOnnx, type Graph } from '#graph/index.js';
import { hasGpu, hasNvidiaGpu, needWebGpuDriver } from './gpu.js';
import { ExecutorRefused, firstLine, type ExecutorSettings, type OpenExecutor } from './open-executor.js';
import { createOrtCpuExecutor } from './ort-cpu.js';
import { createOrtGpuExecutor } from './ort-gpu.js';
import { loadOrt } from './ort-tensors.js';

type Provider = 'cuda' | 'webgpu';

/** One addition: enough to see that a provider finds its device. */
const smallest: Graph = {
  inputs: [{ name: 'x', role: 'data', dtype: 'float32', shape: [1] }],
  constants: [],
  nodes: [{ op: 'neg', inputs: ['x'], output: 'y', attributes: {}, dtype: 'float32', shape: [1] }],
  outputs: [{ name: 'y', value: 'y', dtype: 'float32', shape: [1] }],
};

export async function openOrtCpu({ threads }: ExecutorSettings): Promise<OpenExecutor> {
  try {
    const executor = createOrtCpuExecutor({ threads });
    const program = await executor.compile(smallest);
    await program.run({ x: executor.upload([1], Float32Array.of(1)) });
    await program.close();
    return { executor, hardware: `${threads ?? cpus().length} threads of ${cpus()[0]?.model ?? 'the CPU'}`, emulated: false };
  } catch (error) {
    throw new ExecutorRefused('package', `ONNX Runtime does not work here: ${firstLine(error)}`, error);
  }
}

export async function openOrtGpu(provider: Provider, { threads }: ExecutorSettings): Promise<OpenExecutor> {
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
    executor: createOrtGpuExecutor({ provider, threads }),
    hardware: hardwareOf(provider),
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
  return new ExecutorRefused(
    'package',
    `its CUDA libraries cannot be loaded ('npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12' brings them; CUDA 12 and cuDNN 9 must be installed): ${firstLine(error)}`,
    error,
  );
}

function hardwareOf(provider: Provider): string {
  if (provider === 'cuda') return 'an NVIDIA graphics card';
  return hasGpu() ? 'a graphics card' : 'a software driver';
}

/** Errors of ONNX Runtime begin with a path of its source. */
const lastClause = (error: unknown): string => firstLine(error).replace(/^.* was false\. /, '');
