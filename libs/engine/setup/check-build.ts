import { prepareTensorflow } from '../executors/tfjs-node.js';
import { runCommand } from './run-command.js';

export type BuildCheck =
  | { readonly ok: true; readonly tensorflow: string; readonly gpu: boolean }
  | { readonly ok: false; readonly reason: string };

/** By x and w, of the sum of the squares of x·w, with x = [[1, 2], [3, 4]] and w = [[1], [-1]]. */
const known = { x: [-2, 2, -2, 2], w: [-8, -12] } as const;

const program = `
const tf = require(process.argv[1]);
const x = tf.tensor2d([[1, 2], [3, 4]]);
const w = tf.tensor2d([[1], [-1]]);
const [dx, dw] = tf.grads((x, w) => x.matMul(w).square().sum())([x, w]);
const { binding, isUsingGpuDevice } = tf.backend();
const result = { backend: tf.getBackend(), tensorflow: binding.TF_Version, gpu: isUsingGpuDevice, x: [...dx.dataSync()], w: [...dw.dataSync()] };
console.log(JSON.stringify(result));
`;

/** Loads the package in a process of its own, because TensorFlow never leaves one, and takes a gradient that is known. */
export async function checkBuild(folder: string, packageName: string, signal?: AbortSignal): Promise<BuildCheck> {
  prepareTensorflow(undefined);
  const { ok, out, tail } = await runCommand(process.execPath, ['-e', program, packageName], { cwd: folder, signal });
  if (!ok) return { ok: false, reason: `it cannot be loaded: ${tail}` };
  const result = JSON.parse(out.trim().split('\n').at(-1) ?? '{}') as {
    readonly backend?: string;
    readonly tensorflow?: string;
    readonly gpu?: boolean;
    readonly x?: readonly number[];
    readonly w?: readonly number[];
  };
  if (result.backend !== 'tensorflow') return { ok: false, reason: `it computes with the backend '${result.backend}'` };
  if (result.x?.join() !== known.x.join() || result.w?.join() !== known.w.join()) {
    return { ok: false, reason: `a gradient is wrong: [${result.x?.join()}], [${result.w?.join()}]` };
  }
  return { ok: true, tensorflow: result.tensorflow ?? '', gpu: result.gpu === true };
}
