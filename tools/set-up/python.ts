// The Python of the tests: a virtual environment at .cache/py with what the Python index has.
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Something that is left out, and for want of what. */
export type LeftOut = readonly [what: string, forWantOf: string];

const GIB = 1024 ** 3;
/** The index has PyTorch for Linux with the libraries of CUDA only; while pip unpacks them they lie there twice. */
export const torchBytes = 10 * GIB;

/** A module as it is imported, and the package that brings it. */
const packages: readonly (readonly [module: string, name: string])[] = [
  ['numpy', 'numpy'],
  ['grpc', 'grpcio'],
  ['google.protobuf', 'protobuf'],
  ['sklearn', 'scikit-learn'],
  ['onnx', 'onnx'],
  ['pytest', 'pytest'],
  ['setuptools', 'setuptools'],
  ['wheel', 'wheel'],
  ['clickhouse_connect', 'clickhouse-connect==1.12.*'],
];
/** PyTorch 2 exports through onnxscript what its older exporter cannot. */
const torchPackages: typeof packages = [
  ['torch', 'torch'],
  ['onnxscript', 'onnxscript'],
];

const look = `
import importlib.util, sys
def seen(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
print(*[name for name in sys.argv[1:] if not seen(name)])
`;
const fits = 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2])';

const run = (command: string, args: readonly string[]): SpawnSyncReturns<string> =>
  spawnSync(command, args, { encoding: 'utf8' });

/** Modules that this Python does not find; undefined where it does not run. */
function missing(python: string, modules: readonly string[]): readonly string[] | undefined {
  const { status, stdout } = run(python, ['-c', look, ...modules]);
  return status === 0 ? stdout.split(/\s+/).filter((name) => name !== '') : undefined;
}

/** The first that sees a PyTorch already, as Debian's does; else the first that can make environments. */
export function choosePython(
  candidates: readonly string[],
): { readonly python: string; readonly seesTorch: boolean } | undefined {
  const fitting = candidates.filter((python) => run(python, ['-c', fits]).status === 0);
  const seesTorch = (python: string): boolean => missing(python, ['torch'])?.length === 0;
  const withTorch = fitting.find(seesTorch);
  const python = withTorch ?? fitting[0];
  return python === undefined ? undefined : { python, seesTorch: withTorch !== undefined };
}

/** What pip is to get, in turns: what fails in one leaves the others as they are. */
export function plan(
  missingModules: readonly string[],
  freeBytes: number,
): { readonly installs: readonly (readonly string[])[]; readonly leftOut: readonly LeftOut[] } {
  const wanted = (list: typeof packages): string[] =>
    list.filter(([module]) => missingModules.includes(module)).map(([, name]) => name);
  const others = wanted(packages);
  // Debian's PyTorch is older than onnxscript and does without it.
  const torch = missingModules.includes('torch') ? wanted(torchPackages) : [];
  const hasRoom = freeBytes >= torchBytes;
  const room = (freeBytes / GIB).toFixed(1);
  return {
    installs: [others, hasRoom ? torch : []].filter((names) => names.length > 0),
    leftOut: torch.length > 0 && !hasRoom ? [['PyTorch', `${torchBytes / GIB} GiB of disk, of which ${room} are free`]] : [],
  };
}

/** Makes the environment or completes it; answers what is left out, and for want of what. */
export function setUpPython(folder: string, candidates: readonly string[], say: (text: string) => void): readonly LeftOut[] {
  const python = `${folder}/bin/python`;
  const modules = [...packages, ...torchPackages].map(([module]) => module);
  if (existsSync(folder) && missing(python, []) === undefined) rmSync(folder, { recursive: true, force: true });
  if (!existsSync(folder)) {
    const chosen = choosePython(candidates);
    if (chosen === undefined) {
      return [['tests that need Python', 'python3 from 3.10 on, with venv (apt-get install python3 python3-venv)']];
    }
    say(`${folder}: an environment of ${chosen.python}`);
    const made = run(chosen.python, ['-m', 'venv', ...(chosen.seesTorch ? ['--system-site-packages'] : []), folder]);
    if (made.status !== 0) {
      rmSync(folder, { recursive: true, force: true });
      return [['tests that need Python', `an environment, which ${chosen.python} -m venv does not make: ${lastLine(made)}`]];
    }
  }
  const { installs, leftOut } = plan(missing(python, modules) ?? modules, freeBytes(folder));
  const refused: LeftOut[] = [];
  for (const names of installs) {
    say(`${folder}: getting ${names.join(', ')}`);
    const installed = run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...names]);
    if (installed.status !== 0) refused.push([names.join(', '), `a Python index that has them: ${lastLine(installed)}`]);
  }
  return [...leftOut, ...refused];
}

function lastLine({ stderr, error }: SpawnSyncReturns<string>): string {
  return error === undefined ? (stderr.trim().split('\n').at(-1) ?? '') : error.message;
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(existsSync(path) ? path : dirname(path));
  return bavail * bsize;
}
