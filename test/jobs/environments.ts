import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';
import { findPython } from '../support/needs.js';
import type { Torch } from './job-case.js';

const folder = join(packageRoot, '.cache/torch2');
/** What the jobs import; IPython runs the cells of the notebooks. */
const packages =
  'torch torchvision timm transformers accelerate onnx onnxscript scikit-learn ipython grpcio protobuf numpy'.split(' ');
const modules = 'torch torchvision timm transformers accelerate onnxscript sklearn IPython grpc google.protobuf'.split(' ');

/** A Python with this PyTorch. That of the index is made when it is not there: 6 GiB, with the libraries of CUDA. */
export function pythonWith(torch: Torch): string {
  const python = torch === 'debian' ? findPython('jobs on Debian’s PyTorch', ['torch', 'sklearn', 'grpc']) : registryPython();
  if (python === undefined) throw new Error(`no Python here has the PyTorch '${torch}'`);
  return python;
}

function registryPython(): string {
  const python = join(folder, 'bin/python');
  if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' });
  if (!seesAll(python)) {
    console.log(`Getting ${packages.join(', ')} into ${folder}`);
    execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages], { stdio: 'inherit' });
  }
  return python;
}

function seesAll(python: string): boolean {
  const look = 'import sys, importlib.util as u; sys.exit(not all(u.find_spec(name) for name in sys.argv[1:]))';
  try {
    execFileSync(python, ['-c', look, ...modules], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
