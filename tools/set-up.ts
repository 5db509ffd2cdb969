// Gets what the tests need and a registry has: a Python of their own (.cache/py), PyTorch included, and the executor
// tfjs-node (.cache/tfjs). What is there already is kept. What cannot be had is left out, and `npm run check` says so.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';
import { leftOut } from '../test/support/needs.js';
import { setUpPython, type LeftOut } from './set-up/python.js';

/** Debian's first: it may see a PyTorch, whatever stands first on the path. */
const pythons = ['/usr/bin/python3', 'python3', ...[14, 13, 12, 11, 10].map((minor) => `python3.${minor}`)];

function setUpTfjs(): readonly LeftOut[] {
  console.log('.cache/tfjs: the executor tfjs-node');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(packageRoot, 'dist/apps/cli/main.js'), 'setup', 'tfjs', '--dir', join(packageRoot, '.cache/tfjs')],
    { encoding: 'utf8' },
  );
  if (status === 0) console.log(stdout.trim());
  const problem = stderr
    .trim()
    .split('\n')
    .at(-1)!
    .replace(/^.*this is missing: /, '');
  return status === 0 ? [] : [['the executor tfjs-node', problem]];
}

for (const [what, forWantOf] of [...setUpPython(join(packageRoot, '.cache/py'), pythons, console.log), ...setUpTfjs()]) {
  console.log(`left out: ${what}: for want of ${forWantOf}`);
  leftOut(what, forWantOf);
}
