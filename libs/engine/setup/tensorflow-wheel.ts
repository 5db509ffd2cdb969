import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, setupProblem } from './run-command.js';

/** The newest that was seen to work with tfjs 4.22 and that wheels for all of Python 3.9 to 3.13 exist of. */
const version = '2.20.0';

export interface Wheel {
  readonly venv: string;
  readonly gpu: boolean;
}

/** Only the libraries and the C headers of the wheel are used, so what it depends on can stay away; CUDA is such a dependency. */
function requirement(gpu: boolean): readonly string[] {
  if (gpu) return [`tensorflow[and-cuda]==${version}`];
  return ['--no-deps', `${process.arch === 'x64' ? 'tensorflow-cpu' : 'tensorflow'}==${version}`];
}

/** The folder of TensorFlow's libraries inside a virtual environment. */
export function tensorflowIn(venv: string): string | undefined {
  const lib = join(venv, 'lib');
  const pythons = existsSync(lib) ? readdirSync(lib) : [];
  return pythons
    .map((name) => join(lib, name, 'site-packages', 'tensorflow'))
    .find(
      (folder) => existsSync(join(folder, 'libtensorflow_cc.so.2')) && existsSync(join(folder, 'include/tensorflow/c/c_api.h')),
    );
}

/** Gets TensorFlow from the Python index into an environment of its own. */
export async function installTensorflow(python: string, { venv, gpu }: Wheel, signal: AbortSignal | undefined): Promise<string> {
  if (!existsSync(join(venv, 'bin/pip'))) {
    rmSync(venv, { recursive: true, force: true });
    const made = await runCommand(python, ['-m', 'venv', venv], { signal });
    if (!made.ok) throw setupProblem(`${python} cannot make a virtual environment at ${venv}:\n${made.tail}`);
  }
  const wanted = requirement(gpu);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...wanted];
  const installed = await runCommand(join(venv, 'bin/python'), pip, { signal });
  const folder = tensorflowIn(venv);
  if (installed.ok && folder !== undefined) return folder;
  throw setupProblem(
    `pip could not install ${wanted.at(-1)}; is the Python package index reached from here, and is this Python 3.9 to 3.13?\n${installed.tail}`,
  );
}
