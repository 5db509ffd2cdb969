import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { repairJavaScript } from './build-addon.js';
import { setupTfjs } from './setup-tfjs.js';
import { tensorflowIn } from './tensorflow-wheel.js';

let folder = '';
const path = process.env['PATH'];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-setup-'));
});
afterEach(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true });
});

/** A program of this name that says nothing and does it well. */
function provide(program: string, script = ''): void {
  writeFileSync(join(folder, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe('setupTfjs', () => {
  it('names all that is missing before it downloads anything', async () => {
    process.env['PATH'] = folder;
    const asked = setupTfjs({ tfjsDir: join(folder, 'tfjs'), gpu: false, progress: () => {} });
    await expect(asked).rejects.toMatchObject({
      code: 'EXECUTOR_UNAVAILABLE',
      message: expect.stringMatching(/a C\+\+ compiler \(apt-get install g\+\+\); npm/),
    });
    expect(existsSync(join(folder, 'tfjs'))).toBe(false);
  });

  it('says what npm said when its registry is not reached', async () => {
    process.env['PATH'] = `${folder}:/bin`;
    for (const program of ['g++', 'python3']) provide(program);
    provide('npm', '[ "$1" = --version ] || { echo getaddrinfo ENOTFOUND >&2; exit 1; }');
    const said: string[] = [];
    const asked = setupTfjs({ tfjsDir: join(folder, 'tfjs'), gpu: false, progress: (text) => said.push(text) });
    await expect(asked).rejects.toThrow(/npm could not install @tensorflow\/tfjs-node[^]*ENOTFOUND/);
    expect(said).toEqual([expect.stringContaining('from npm')]);
  });
});

describe('the parts of setup', () => {
  it('repairs the JavaScript once, and refuses another version', () => {
    const dist = join(folder, 'dist/kernels');
    mkdirSync(dist, { recursive: true });
    const files = {
      [join(folder, 'dist/nodejs_kernel_backend.js')]: 'u',
      [join(dist, 'TopK.js')]: 'u',
      [join(dist, 'Round.js')]: 'r',
    };
    const uses = 'var util_1 = require("util");\nmodule.exports = util_1.isNullOrUndefined(null) && util_1.isArray([]);';
    const rounds = 'exports.f = (x, tfjs_1, backend) => backend.executeSingleInput(tfjs_1.Round, x);';
    for (const [file, kind] of Object.entries(files)) writeFileSync(file, kind === 'u' ? uses : rounds);
    repairJavaScript(folder);
    const once = Object.keys(files).map((file) => readFileSync(file, 'utf8'));
    repairJavaScript(folder);
    expect(Object.keys(files).map((file) => readFileSync(file, 'utf8'))).toEqual(once);

    const load = createRequire(import.meta.url);
    expect(load(join(dist, 'TopK.js'))).toBe(true);
    const { f } = load(join(dist, 'Round.js')) as { f: (...args: unknown[]) => unknown };
    const backend = { executeSingleInput: (kernel: string) => kernel };
    const kernels = { Round: 'Round', Identity: 'Identity' };
    expect([f({ dtype: 'int32' }, kernels, backend), f({ dtype: 'float32' }, kernels, backend)]).toEqual(['Identity', 'Round']);

    writeFileSync(join(dist, 'Round.js'), 'something else');
    expect(() => repairJavaScript(folder)).toThrow(/Round\.js.*4\.22\.0/);
  });

  it('finds TensorFlow in an environment of any Python, and only a whole one', () => {
    expect(tensorflowIn(folder)).toBeUndefined();
    const home = join(folder, 'lib/python3.12/site-packages/tensorflow');
    mkdirSync(join(home, 'include/tensorflow/c'), { recursive: true });
    writeFileSync(join(home, 'libtensorflow_cc.so.2'), '');
    expect(tensorflowIn(folder)).toBeUndefined();
    writeFileSync(join(home, 'include/tensorflow/c/c_api.h'), '');
    expect(tensorflowIn(folder)).toBe(home);
  });
});
