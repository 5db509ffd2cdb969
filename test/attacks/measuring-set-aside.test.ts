import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ProcessMeasurer } from '#analyzer/measure/process-measurer.js';
import { House } from '#analyzer/testing/house.js';
import { RunLog } from '#analyzer/testing/run-log.js';
import { newId } from '#runtime/ids.js';

/** A measuring process that comes to grief over step 1, each time it is asked. */
const program = (grief: string): string => `
import { writeFileSync } from 'node:fs';
const held = [];
process.on('disconnect', () => process.exit());
process.on('message', ({ id, task }) => {
  if (task.step === 1) { ${grief} }
  const reading = { name: 'loss.probe', key: '', value: task.step, bound: NaN, products: 0, seconds: 0, device: 'test', probeDigest: '' };
  process.send({ kind: 'measured', id, tracker: false, result: { readings: [reading], instruments: { 'loss.probe': { on: true, reason: '' } } } });
});
process.send({ kind: 'ready', executor: 'test', residentBytes: process.memoryUsage.rss() });
`;

let house: House;
let folder: string;
beforeEach(async () => {
  house = await House.open();
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-grief-'));
});
afterEach(async () => {
  await house.close();
  rmSync(folder, { recursive: true, force: true });
});

it.each([
  ['an endless loop', 'for (;;);', /: it was not done after 0\.5 s, its time limit$/],
  ['a wait for ever', 'return setInterval(() => undefined, 1000);', /: it was not done after 0\.5 s, its time limit$/],
  ['a memory bomb', 'for (;;) held.push(Buffer.alloc(16 * 1024 ** 2, 1));', /: it used \d+ MiB of memory, its limit is \d+ MiB$/],
  ['a fault of a native library', 'process.kill(process.pid, "SIGSEGV"); for (;;);', /: it was ended by SIGSEGV$/],
])('%s sets one snapshot aside with its reason, and the run goes on', { timeout: 120_000 }, async (_, grief, end) => {
  const file = join(folder, 'program.mjs');
  writeFileSync(file, program(grief));
  const run = newId('r');
  const log = new RunLog(run, house.blobs).attach().model();
  for (let step = 0; step < 3; step++) await log.snapshot(step, 1, 1);
  await log
    .scalars([[2, 'loss.train', Number.NaN]])
    .end(3)
    .publish(house.bus);
  const measurer = new ProcessMeasurer({
    logger: house.logger,
    metrics: house.metrics,
    engine: { memoryBytes: 128 * 1024 ** 2, threads: 1, executor: 'test' },
    processes: 1,
    deadlineMs: grief.includes('held') ? 60_000 : 500,
    scratch: join(folder, 'scratch'),
    file,
  });
  const analyzer = house.analyzer({ measurer });
  await analyzer.start();
  await house.settled();
  await analyzer.close();

  const dead = await (await house.bus.group('records', 'judge')).deadLetters();
  expect(dead.map(({ reason }) => reason)).toEqual([expect.stringMatching(end)]);
  expect(dead[0]!.reason).toMatch(/^measuring the snapshot of step 1 ended its process twice: /);
  expect(house.store.rows('readings').map(({ step }) => step)).toEqual([0, 2]);
  expect(house.store.rows('findings').map(({ kind }) => kind)).toContain('divergence_risk');
  expect(house.store.rows('runs')[0]).toMatchObject({ status: 'finished' });
});
