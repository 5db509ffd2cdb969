import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { createTfjsExecutor } from './tfjs.js';
import type { OpenExecutor } from './open-executor.js';
import type { Tfjs } from './tfjs-tensors.js';

/**
 * tfjs's packages for Node are CommonJS, and every backend must see the same copy of the core. Its engine is one a process
 * even so; in production mode it does not warn on standard error of backends that are registered with two copies of it.
 */
export function loadTfjsCore(): Tfjs {
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-core') as Tfjs;
  tf.enableProdMode();
  return tf;
}

/** Both compute in this thread. */
const oneCore = (): string => `one core of ${cpus()[0]?.model ?? 'the CPU'}`;

/** Loaded in its turn; it registers itself with the core. */
const load = {
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
  wasm: () => import('@tensorflow/tfjs-backend-wasm'),
} as const;

async function openBackend(backend: keyof typeof load): Promise<OpenExecutor> {
  const tf = loadTfjsCore();
  await load[backend]();
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs does not start its backend '${backend}'`);
  return { executor: createTfjsExecutor({ name: `tfjs-${backend}`, tf, backend }), hardware: oneCore(), emulated: false };
}

export const openTfjsCpu = (): Promise<OpenExecutor> => openBackend('cpu');
export const openTfjsWasm = (): Promise<OpenExecutor> => openBackend('wasm');
