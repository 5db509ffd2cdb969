import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tfjsNodeFolder } from '../executors/tfjs-node.js';
import { addonFile, buildAddon, repairJavaScript } from './build-addon.js';
import { checkBuild, type BuildCheck } from './check-build.js';
import { findTools } from './prerequisites.js';
import { runCommand, setupProblem } from './run-command.js';
import { installTensorflow, tensorflowIn } from './tensorflow-wheel.js';

export interface SetupOptions {
  readonly tfjsDir: string;
  readonly gpu: boolean;
  /** Told what is being done, and at the end of it. */
  readonly progress: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface SetupResult {
  readonly executor: 'tfjs-node' | 'tfjs-node-gpu';
  readonly folder: string;
  readonly tensorflow: string;
  /** Whether TensorFlow computes on a graphics card. */
  readonly gpu: boolean;
  /** It was there already, and works. */
  readonly already: boolean;
}

const versions = { tfjs: '4.22.0', headers: '1.9.0' } as const;

/**
 * Builds tfjs's native package against the TensorFlow of PyPI: its own installer downloads a TensorFlow of 2022 from a place
 * that is not always reached, and Node 23 and newer refuse it. What is there already is checked and kept. Throws a
 * StagewatchError that says what is missing.
 */
export async function setupTfjs({ tfjsDir, gpu, progress, signal }: SetupOptions): Promise<SetupResult> {
  const executor = gpu ? 'tfjs-node-gpu' : 'tfjs-node';
  const folder = tfjsNodeFolder(tfjsDir, executor);
  const packageName = `@tensorflow/${executor}`;
  const packageFolder = join(folder, 'node_modules', packageName);
  const venv = join(folder, 'venv');
  const done = (check: BuildCheck & { ok: true }, already: boolean): SetupResult => {
    const { tensorflow } = check;
    return { executor, folder, tensorflow, gpu: check.gpu, already };
  };
  if (existsSync(addonFile(packageFolder))) {
    progress(`Checking what is at ${folder}`);
    const check = await checkBuild(folder, packageName, signal);
    if (check.ok) return done(check, true);
    progress(`It is made again: ${check.reason}`);
  }

  const { python, compiler } = await findTools(tfjsDir, gpu);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ private: true, description: 'Made by stagewatch setup tfjs' })}\n`,
  );

  progress(`Installing ${packageName} ${versions.tfjs} from npm`);
  const wanted = [`${packageName}@${versions.tfjs}`, `node-api-headers@${versions.headers}`];
  const npm = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...wanted];
  const installed = await runCommand('npm', npm, { cwd: folder, signal });
  if (!installed.ok)
    throw setupProblem(`npm could not install ${packageName}; is its registry reached from here?\n${installed.tail}`);

  progress(
    `Installing TensorFlow from the Python index${gpu ? ' with the libraries of CUDA, 3 GB to download' : ', 0.3 GB to download'}`,
  );
  const tensorflow = tensorflowIn(venv) ?? (await installTensorflow(python, { venv, gpu }, signal));

  progress(`Compiling the addon with ${compiler}`);
  const headers = join(folder, 'node_modules/node-api-headers/include');
  await buildAddon({ packageFolder, tensorflow, headers, compiler }, signal);
  repairJavaScript(packageFolder);

  progress('Taking a gradient that is known');
  const check = await checkBuild(folder, packageName, signal);
  if (!check.ok) throw setupProblem(`tfjs-node was built at ${folder}, but ${check.reason}`);
  return done(check, false);
}
