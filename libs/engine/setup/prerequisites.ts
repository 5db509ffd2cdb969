import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { runCommand, setupProblem } from './run-command.js';

export interface Tools {
  readonly python: string;
  readonly compiler: string;
}

const GIB = 1024 ** 3;
/** Measured: 1.5 GiB, and 6.9 GiB with the CUDA libraries; wheels lie there twice while they are unpacked. */
const neededBytes = { cpu: 2 * GIB, gpu: 10 * GIB } as const;

/** Looks for everything before anything is downloaded, and names all that is missing at once. */
export async function findTools(folder: string, gpu: boolean): Promise<Tools> {
  const { platform, arch } = process;
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    throw setupProblem(`TensorFlow's library can be had for Linux on x64 and arm64, and this is ${platform} ${arch}.`);
  }
  const [python, compiler, npm] = [await findPython(), await findCompiler(), await runCommand('npm', ['--version'])];
  const room = freeBytes(folder);
  const need = neededBytes[gpu ? 'gpu' : 'cpu'];
  const missing = [
    ...(python === undefined ? ['python3 with venv (apt-get install python3 python3-venv)'] : []),
    ...(compiler === undefined ? ['a C++ compiler (apt-get install g++)'] : []),
    ...(npm.ok ? [] : ['npm, which comes with Node']),
    ...(room < need ? [`${(need / GIB).toFixed(0)} GiB of disk at ${folder}, of which ${(room / GIB).toFixed(1)} are free`] : []),
  ];
  if (python === undefined || compiler === undefined || missing.length > 0) {
    throw setupProblem(`To build tfjs-node this is missing: ${missing.join('; ')}.`);
  }
  return { python, compiler };
}

/** The first `python3` on the path need not be the one that has venv. */
async function findPython(): Promise<string | undefined> {
  for (const python of ['python3', '/usr/bin/python3']) {
    if ((await runCommand(python, ['-c', 'import venv, ensurepip'])).ok) return python;
  }
  return undefined;
}

async function findCompiler(): Promise<string | undefined> {
  for (const compiler of ['g++', 'clang++', 'c++']) if ((await runCommand(compiler, ['--version'])).ok) return compiler;
  return undefined;
}

function freeBytes(folder: string): number {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  return bavail * bsize;
}
