import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { choosePython, plan, setUpPython, torchBytes } from './python.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'set-up-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** An interpreter that can make environments or not, and finds PyTorch or not. */
function interpreter(name: string, { fits, torch }: { readonly fits: boolean; readonly torch: boolean }): string {
  const path = join(folder, name);
  const answer = `case "$2" in *ensurepip*) exit ${fits ? 0 : 1};; *) echo ${torch ? '' : 'torch'};; esac`;
  writeFileSync(path, `#!/bin/sh\n${answer}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('the Python of the tests', () => {
  it('is the one that sees a PyTorch, whatever comes before it', () => {
    const bare = interpreter('bare', { fits: true, torch: false });
    const whole = interpreter('whole', { fits: true, torch: true });
    const old = interpreter('old', { fits: false, torch: true });
    expect(choosePython([join(folder, 'none'), old, bare, whole])).toEqual({ python: whole, seesTorch: true });
    expect(choosePython([old, bare])).toEqual({ python: bare, seesTorch: false });
    expect(choosePython([old])).toBeUndefined();
  });

  it('gets what is missing, and PyTorch where there is room for it', () => {
    const all = plan(['numpy', 'torch', 'onnxscript'], torchBytes);
    expect(all).toEqual({ installs: [['numpy'], ['torch', 'onnxscript']], leftOut: [] });
    const small = plan(['numpy', 'torch', 'onnxscript'], torchBytes / 4);
    expect(small.installs).toEqual([['numpy']]);
    expect(small.leftOut).toEqual([['PyTorch', '10 GiB of disk, of which 2.5 are free']]);
    expect(plan(['onnxscript'], 0)).toEqual({ installs: [], leftOut: [] });
  });

  it('is left out, with what would help, where no interpreter can make one', () => {
    const target = join(folder, 'py');
    const leftOut = setUpPython(target, [join(folder, 'none')], () => undefined);
    expect(leftOut).toEqual([['tests that need Python', expect.stringContaining('apt-get install python3 python3-venv')]]);
    expect(existsSync(target)).toBe(false);
  });

  it('is kept when it is whole', () => {
    const target = join(folder, 'py/bin');
    execFileSync('mkdir', ['-p', target]);
    writeFileSync(join(target, 'python'), '#!/bin/sh\n[ "$1" = -c ] && exit 0\nexit 1\n', { mode: 0o755 });
    const said: string[] = [];
    expect(setUpPython(join(folder, 'py'), [], (text: string) => said.push(text))).toEqual([]);
    expect(said).toEqual([]);
  });
});
