import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StagewatchError } from '#runtime/errors.js';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { packageRoot } from '#runtime/package-root.js';
import { codec } from '#wire/codec.js';
import { BoundedLine } from './bounded-line.js';
import { GraphLooker } from './graph-looker.js';

const reach = pathToFileURL(join(packageRoot, 'dist/libs/runtime/processes/reach.js')).href;
const childSide = pathToFileURL(join(packageRoot, 'dist/libs/runtime/processes/child-side.js')).href;
/** Does what the name of the graph's file says. */
const program = `
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { basename } from 'node:path';
import { ownConfinement } from '${reach}';
import { dieWithParent } from '${childSide}';
dieWithParent();
const held = [];
const outcomeOf = (act) => { try { act(); return 'reached'; } catch (error) { return error.code; } };
process.on('message', ({ id, files }) => {
  const what = basename(files.graph);
  if (what === 'spin') for (;;);
  if (what === 'grow') for (;;) held.push(Buffer.alloc(16 * 1024 ** 2, 1));
  if (what === 'crash') process.abort();
  if (what === 'bug') process.send({ kind: 'failed', id, error: 'a fault of ours' });
  if (what === 'reach') {
    const peek = (path) => outcomeOf(() => readFileSync(path));
    connect(1, '127.0.0.1').on('error', ({ code }) => {
      const parameters = [ownConfinement().kind, peek('/etc/passwd'), peek(files.train), code];
      process.send({ kind: 'taken', id, checked: { parameters, parameterCount: 0 } });
    });
  }
  if (what === 'good') process.send({ kind: 'taken', id, checked: { parameters: [String(process.pid)], parameterCount: 6 } });
});
`;

const model = codec('ModelDescription').decode(new Uint8Array());

describe('a model is looked at in a process of its own', () => {
  let folder: string;
  let looker: GraphLooker;
  let metrics: Metrics;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'graph-look-'));
    const file = join(folder, 'program.mjs');
    writeFileSync(file, program);
    for (const name of ['spin', 'grow', 'crash', 'bug', 'good', 'reach']) writeFileSync(join(folder, name), '');
    metrics = new Metrics();
    const logger = createLogger({ level: 'silent' });
    looker = new GraphLooker({ limits: { computeMs: 1000, memoryBytes: 0 }, logger, metrics, file });
  });
  afterAll(async () => {
    await looker.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const look = (what: string) =>
    looker.look(model, null, { graph: join(folder, what), train: join(folder, 'good'), val: undefined });
  const refused = (what: string): Promise<StagewatchError> =>
    look(what).then(
      () => expect.fail('it was taken'),
      (error: StagewatchError) => error,
    );

  it('takes what is good, one after the other in one process', async () => {
    const [first, second] = await Promise.all([look('good'), look('good')]);
    expect(first).toEqual({ parameters: [expect.stringMatching(/^[0-9]+$/)], parameterCount: 6 });
    expect(second).toEqual(first);
  });

  it.each([
    ['spin', 'UNSUPPORTED_MODEL', 'looking at the model took more than 1 s of computing'],
    ['grow', 'UNSUPPORTED_MODEL', 'looking at the model took more than 512 MiB'],
    ['crash', 'UNSUPPORTED_MODEL', 'the model ended the process that looked at it, twice: it was ended by SIGABRT'],
    ['bug', 'INTERNAL', 'looking at the model failed; the service log has the details'],
  ])('says what is wrong: %s', async (what, code, message) => {
    expect(await refused(what)).toMatchObject({ code, message });
    expect(await look('good')).toMatchObject({ parameterCount: 6 });
  });

  it('reaches the files of its models alone, and no network, where the system confines it', async () => {
    const { parameters } = await look('reach');
    expect(parameters).toEqual(
      parameters[0] === 'none' ? ['none', 'reached', 'reached', 'ECONNREFUSED'] : ['landlock', 'EACCES', 'reached', 'EACCES'],
    );
  });

  it('counts each look by how it ended', async () => {
    const { values } = await metrics.graphLooks.get();
    const counts = Object.fromEntries(values.map(({ labels, value }) => [labels['outcome'], value]));
    expect(counts).toEqual({ taken: 7, late: 1, memory: 1, ended: 2, failed: 1 });
  });

  it('ends with the service, also in the middle of a look', async () => {
    const waiting = refused('spin');
    await look('good').catch(() => undefined);
    const closing = looker.close();
    expect(await waiting).toMatchObject({ code: expect.stringMatching(/^(UNAVAILABLE|UNSUPPORTED_MODEL)$/) });
    await closing;
    expect(await refused('good')).toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('the line', () => {
  it('takes one at a time in order, refuses who finds it full, and whoever waits too long', async () => {
    const line = new BoundedLine({ maxWaiting: 2, maxWaitMs: 200 });
    const leave = await line.enter();
    const order: string[] = [];
    const pass = async (name: string): Promise<void> => {
      const leaveNow = await line.enter();
      order.push(name);
      leaveNow();
    };
    const [second, third] = [pass('second'), pass('third')];
    await expect(line.enter()).rejects.toMatchObject({ code: 'UNAVAILABLE', detail: { retryAfterMs: 5000 } });
    leave();
    await Promise.all([second, third]);
    expect(order).toEqual(['second', 'third']);
    const held = await line.enter();
    await expect(line.enter()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    held();
    (await line.enter())();
  });
});
