import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../logging.js';
import { packageRoot } from '../package-root.js';
import { describeEnd, LimitedProcess, type LimitedProcessOptions } from './limited-process.js';

const childSide = pathToFileURL(join(packageRoot, 'dist/libs/runtime/processes/child-side.js')).href;
const program = `
import { dieWithParent } from '${childSide}';
import { getPriority } from 'node:os';
dieWithParent();
const held = [];
process.on('message', (message) => {
  if (message === 'hello') process.send({ secret: process.env.SECRET, given: process.env.GIVEN, niceness: getPriority(), bytes: new Uint8Array(2) });
  if (message === 'grow') for (;;) held.push(Buffer.alloc(16 * 1024 ** 2, 1));
  if (message === 'spin') for (;;);
  if (message === 'crash') process.abort();
  if (message === 'leave') process.exit(3);
});
process.send('ready');
`;

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-process-'));
  file = join(folder, 'child.mjs');
  writeFileSync(file, program);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start(
  options: Partial<LimitedProcessOptions> = {},
): Promise<{ child: LimitedProcess; next: () => Promise<unknown> }> {
  const heard: unknown[] = [];
  let wake: (() => void) | undefined;
  const child = new LimitedProcess({
    name: 'child',
    file,
    environment: { GIVEN: 'yes' },
    memoryBytes: 512 * 1024 ** 2,
    niceness: 10,
    logger: createLogger({ level: 'silent' }),
    onMessage: (message) => {
      heard.push(message);
      wake?.();
    },
    ...options,
  });
  const next = async (): Promise<unknown> => {
    while (heard.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return heard.shift();
  };
  expect(await next()).toBe('ready');
  return { child, next };
}

describe('LimitedProcess', () => {
  it('gives a child its own environment and priority, and bytes as they are', async () => {
    process.env['SECRET'] = 'of the service';
    const { child, next } = await start();
    child.send('hello');
    expect(await next()).toEqual({ secret: undefined, given: 'yes', niceness: 10, bytes: new Uint8Array(2) });
    expect(describeEnd(await child.stop('done'))).toBe('done');
    expect(child.send('hello')).toBe(false);
    delete process.env['SECRET'];
  });

  it('ends a child that takes more memory than it was given', async () => {
    const { child } = await start();
    child.send('grow');
    const end = await child.end;
    expect(end).toMatchObject({ kind: 'memory', limitBytes: 512 * 1024 ** 2 });
    expect(end.kind === 'memory' && end.usedBytes).toBeLessThan(1024 ** 3);
    expect(describeEnd(end)).toMatch(/^it used \d+ MiB of memory, its limit is 512 MiB$/);
  });

  it.each([
    ['crash', 'it was ended by SIGABRT'],
    ['leave', 'it exited with code 3'],
  ])('says how a child came to its end: %s', async (message, text) => {
    const { child } = await start();
    child.send(message);
    expect(describeEnd(await child.end)).toBe(text);
  });

  it('ends a child that does not listen', async () => {
    const { child } = await start();
    child.send('spin');
    expect(await child.stop('enough', 200)).toEqual({ kind: 'ended', reason: 'enough' });
  });

  it('says so when a program cannot be started', async () => {
    const child = new LimitedProcess({
      name: 'nothing',
      file: join(folder, 'nothing.mjs'),
      environment: {},
      memoryBytes: 1024 ** 3,
      niceness: 0,
      logger: createLogger({ level: 'silent' }),
    });
    expect(describeEnd(await child.end)).toBe('it exited with code 1');
  });

  it('leaves no child behind when its own process is killed, even one that spins', async () => {
    const parent = join(folder, 'parent.mjs');
    writeFileSync(
      parent,
      `import { LimitedProcess } from '${pathToFileURL(join(packageRoot, 'dist/libs/runtime/processes/limited-process.js')).href}';
      const logger = { info() {}, warn() {} };
      const child = new LimitedProcess({ name: 'c', file: ${JSON.stringify(file)}, environment: {}, memoryBytes: 1e9, niceness: 0, logger,
        onMessage: () => { child.send('spin'); setTimeout(() => console.log(child.pid), 200); } });`,
    );
    const service = spawn(process.execPath, [parent], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = (await once(service.stdout, 'data')) as [Buffer];
    const pid = Number(text.toString());
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    service.kill('SIGKILL');
    await once(service, 'exit');
    for (let i = 0; i < 100 && existsSync(`/proc/${pid}`); i++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});
