import type { Graph } from '#graph/index.js';
import { StagewatchError } from '#runtime/errors.js';
import type { Executor, Program } from '../executor.js';
import { TfjsProgram } from './tfjs-program.js';
import { repaired } from './tfjs-repairs.js';
import { tfjsTensor, wrap, type Tfjs, type TfjsTensor } from './tfjs-tensors.js';

export interface TfjsOptions {
  readonly name: string;
  readonly tf: Tfjs;
  /** As it is registered in tfjs: `cpu`, `wasm`, `webgpu`, `tensorflow`. It is initialised. */
  readonly backend: string;
  /** What the device reported since it was asked last; kernels of a graphics card fail after the call that started them. */
  readonly problem?: () => string | undefined;
}

/**
 * Any backend of tfjs. All of them live in one engine a thread, with one of them current; every call here makes its own one
 * current first, which tfjs does at once for a backend that is initialised.
 */
export function createTfjsExecutor({ name, tf, backend, problem = () => undefined }: TfjsOptions): Executor<TfjsTensor> {
  const ops = repaired(tf, backend);
  const activate = (): void => {
    if (tf.getBackend() !== backend) void tf.setBackend(backend);
  };
  const check = (doing: string): void => {
    const said = problem();
    if (said !== undefined) throw new StagewatchError('EXECUTOR_FAILED', `${name} failed while ${doing}: ${said}`);
  };
  return {
    name,
    upload: (shape, data, dtype = 'float32') => {
      activate();
      return wrap(tfjsTensor(tf, shape, data, dtype));
    },
    download: async ({ value }) => {
      activate();
      const numbers = await value.data<'float32' | 'int32' | 'bool'>();
      check('reading a result');
      return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
    },
    release: ({ value }) => value.dispose(),
    close: async () => {},
    compile: async (graph: Graph): Promise<Program<TfjsTensor>> => {
      activate();
      const program = new TfjsProgram(name, tf, ops, graph);
      return {
        run: async (inputs) => {
          activate();
          const outputs = program.run(inputs);
          check('running a graph');
          return outputs;
        },
        close: async () => program.close(),
      };
    },
  };
}
