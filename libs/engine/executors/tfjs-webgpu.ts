import { createRequire } from 'node:module';
import { createTfjsExecutor } from './tfjs.js';
import { ExecutorRefused, firstLine, type OpenExecutor } from './open-executor.js';
import { needWebGpuDriver } from './gpu.js';
import { loadTfjsCore } from './tfjs-core-backends.js';

interface WebGpuDevice {
  addEventListener(type: 'uncapturederror', listener: (event: { readonly error: Error }) => void): void;
}
interface WebGpuAdapter {
  readonly info?: { readonly vendor: string; readonly architecture: string; readonly description: string };
}
interface WebGpu {
  requestAdapter(): Promise<WebGpuAdapter | null>;
}
interface Dawn {
  create(options: readonly string[]): WebGpu;
  readonly globals: Record<string, unknown>;
}

/** Drivers that compute on the CPU. */
const emulators = /swiftshader|llvmpipe|lavapipe|software/i;

/** tfjs on WebGPU; Dawn, from the package `webgpu`, is the WebGPU that Node lacks. */
export async function openTfjsWebGpu(): Promise<OpenExecutor> {
  const dawn = await loadDawn();
  needWebGpuDriver();
  const gpu = dawn.create([]);
  const adapter = await gpu.requestAdapter();
  if (adapter === null)
    throw new ExecutorRefused('gpu', 'no graphics driver that WebGPU can use (Vulkan, Metal, Direct3D) was found');
  Object.assign(globalThis, dawn.globals);
  offer(gpu);
  const tf = loadTfjsCore();
  await import('@tensorflow/tfjs-backend-webgpu');
  // Small tensors would be computed on the CPU otherwise, and so would go to and fro.
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  if (!(await tf.setBackend('webgpu'))) throw new Error("tfjs does not start its backend 'webgpu'");
  const { vendor = '', architecture = '', description = '' } = adapter.info ?? {};
  const hardware = description || [vendor, architecture].filter(Boolean).join(' ') || 'an unnamed device';
  return {
    executor: createTfjsExecutor({ name: 'tfjs-webgpu', tf, backend: 'webgpu', problem: problemsOf(tf.backend()) }),
    hardware,
    emulated: emulators.test(`${vendor} ${architecture} ${description}`),
  };
}

async function loadDawn(): Promise<Dawn> {
  try {
    createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-webgpu');
    return (await import('webgpu')) as unknown as Dawn;
  } catch (error) {
    throw new ExecutorRefused(
      'package',
      `the packages webgpu and @tensorflow/tfjs-backend-webgpu cannot be loaded (npm install webgpu @tensorflow/tfjs-backend-webgpu@4.22.0): ${firstLine(error)}`,
      error,
    );
  }
}

/** tfjs looks for WebGPU where browsers have it. Node has a navigator since 21, and older ones have none. */
function offer(gpu: WebGpu): void {
  const known = (globalThis as { navigator?: object }).navigator;
  if (known === undefined) Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  else Object.defineProperty(known, 'gpu', { value: gpu, configurable: true });
}

/** A kernel that a driver refuses ends in zeros and an event. */
function problemsOf(backend: unknown): () => string | undefined {
  let first: string | undefined;
  (backend as { readonly device: WebGpuDevice }).device.addEventListener('uncapturederror', ({ error }) => {
    first ??= firstLine(error);
  });
  return () => {
    const said = first;
    first = undefined;
    return said;
  };
}
