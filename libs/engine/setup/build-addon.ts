import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runCommand, setupProblem } from './run-command.js';

/** The Node-API version that every Node since 16 has and that the package looks for first. */
const napi = 8;

export interface Addon {
  /** `node_modules/@tensorflow/tfjs-node` of the folder that is set up. */
  readonly packageFolder: string;
  readonly tensorflow: string;
  readonly headers: string;
  readonly compiler: string;
}

export const addonFile = (packageFolder: string): string => join(packageFolder, `lib/napi-v${napi}/tfjs_binding.node`);

/** Compiles the package's own C++ against TensorFlow's libraries. */
export async function buildAddon({ packageFolder, tensorflow, headers, compiler }: Addon, signal?: AbortSignal): Promise<void> {
  const deps = join(packageFolder, 'deps');
  mkdirSync(deps, { recursive: true });
  // A link to the folder, not to its files: the libraries look for those of CUDA beside the place where they really are.
  relink(join(deps, 'lib'), tensorflow);
  const target = addonFile(packageFolder);
  mkdirSync(dirname(target), { recursive: true });
  const made = `${target}.new`;
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(packageFolder, 'binding', file));
  const compiled = await runCommand(
    compiler,
    [
      '-std=c++17',
      '-O2',
      '-fPIC',
      '-shared',
      `-DNAPI_VERSION=${napi}`,
      `-I${headers}`,
      `-I${join(tensorflow, 'include')}`,
      ...sources,
      '-o',
      made,
      `-L${tensorflow}`,
      '-l:libtensorflow_cc.so.2',
      '-l:libtensorflow_framework.so.2',
      '-Wl,-rpath,$ORIGIN/../../deps/lib',
    ],
    { signal },
  );
  if (!compiled.ok) throw setupProblem(`${compiler} could not compile the addon of tfjs-node:\n${compiled.tail}`);
  renameSync(made, target);
}

function relink(link: string, target: string): void {
  rmSync(link, { recursive: true, force: true });
  symlinkSync(relative(dirname(link), target), link);
}

/**
 * What the package's JavaScript needs to run on today's Node and TensorFlow: two functions of `util` went away with Node 23,
 * and since 2.17 TensorFlow rounds whole numbers to 0.
 */
const repairs: readonly { readonly file: string; readonly before: string; readonly after: string }[] = [
  ...['nodejs_kernel_backend.js', 'kernels/TopK.js'].map((file) => ({
    file,
    before: 'require("util")',
    after: 'Object.assign({}, require("util"), { isArray: Array.isArray, isNullOrUndefined: (x) => x == null })',
  })),
  {
    file: 'kernels/Round.js',
    before: 'executeSingleInput(tfjs_1.Round, x)',
    after: "executeSingleInput(x.dtype === 'int32' ? tfjs_1.Identity : tfjs_1.Round, x)",
  },
];

export function repairJavaScript(packageFolder: string): void {
  for (const { file, before, after } of repairs) {
    const path = join(packageFolder, 'dist', file);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (text.includes(after)) continue;
    if (!text.includes(before)) throw setupProblem(`${path} is not that of the version that can be repaired (4.22.0).`);
    writeFileSync(path, text.replaceAll(before, after));
  }
}
