import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setNativeEnvironment } from '#runtime/native-environment.js';
import { hasNvidiaGpu } from './gpu.js';
import { ExecutorRefused, firstLine, type ExecutorSettings, type OpenExecutor } from './open-executor.js';
import { loadTfjsCore } from './tfjs-core-backends.js';
import { createTfjsExecutor } from './tfjs.js';
import type { Tfjs } from './tfjs-tensors.js';

type Kind = 'tfjs-node' | 'tfjs-node-gpu';

interface TensorflowBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string };
}

/** Each kind has a folder of its own, because each has a TensorFlow of its own. */
export const tfjsNodeFolder = (tfjsDir: string, kind: Kind): string => join(tfjsDir, kind);
const packageName = (kind: Kind): string => `@tensorflow/${kind}`;
const setupCommand = (kind: Kind): string => `stagewatch setup tfjs${kind === 'tfjs-node-gpu' ? ' --gpu' : ''}`;

/** TensorFlow keeps its threads and its devices for as long as the process lives, and there is one of it. */
let loaded: { readonly kind: Kind; readonly tf: Tfjs } | undefined;

export async function openTfjsNode(kind: Kind, { threads, tfjsDir }: ExecutorSettings): Promise<OpenExecutor> {
  const gpu = kind === 'tfjs-node-gpu';
  if (gpu && !hasNvidiaGpu()) throw new ExecutorRefused('gpu', 'no NVIDIA graphics card was found (there is no /dev/nvidia0)');
  if (loaded !== undefined && loaded.kind !== kind) {
    throw new ExecutorRefused('platform', `a process has one TensorFlow, and this one has that of ${loaded.kind}`);
  }
  loaded ??= { kind, tf: load(kind, tfjsDir, threads) };
  const { tf } = loaded;
  const { isUsingGpuDevice } = tf.engine().findBackend('tensorflow') as unknown as TensorflowBackend;
  if (gpu && !isUsingGpuDevice) throw new ExecutorRefused('gpu', 'TensorFlow found no graphics card that it can use');
  await tf.setBackend('tensorflow');
  return {
    executor: createTfjsExecutor({ name: kind, tf, backend: 'tensorflow' }),
    hardware: gpu ? 'an NVIDIA graphics card' : `${threads ?? cpus().length} threads of ${cpus()[0]?.model ?? 'the CPU'}`,
    emulated: false,
  };
}

/** From the folder of `stagewatch setup tfjs`, else from where the packages of the project are. */
function load(kind: Kind, tfjsDir: string | undefined, threads: number | undefined): Tfjs {
  const folders = tfjsDir === undefined ? [] : [tfjsNodeFolder(tfjsDir, kind)];
  const built = folders.find((folder) => existsSync(join(folder, 'node_modules', packageName(kind))));
  const require = createRequire(built === undefined ? import.meta.url : join(built, 'package.json'));
  prepareTensorflow(threads);
  loadTfjsCore();
  try {
    require.resolve(packageName(kind));
  } catch (error) {
    throw new ExecutorRefused('package', `it is not installed; '${setupCommand(kind)}' builds it`, error);
  }
  try {
    return require(packageName(kind)) as Tfjs;
  } catch (error) {
    throw new ExecutorRefused('package', `it cannot be loaded ('${setupCommand(kind)}' repairs it): ${firstLine(error)}`, error);
  }
}

/** TensorFlow reads these when it is loaded. */
export function prepareTensorflow(threads: number | undefined): void {
  setNativeEnvironment({
    TF_CPP_MIN_LOG_LEVEL: '2',
    // Else it takes all the memory of a card that training may need.
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    ...(threads !== undefined && { TF_NUM_INTRAOP_THREADS: String(threads) }),
  });
}
