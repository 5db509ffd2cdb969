/**
 * Imports the networks that `make.py` has exported, and compares loss, gradient and a Hessian product with PyTorch's.
 *
 *     /path/to/python test/networks/make.py OUT && npm run build && node dist/test/networks/check.js OUT [--write]
 *
 * Each comparison is a process with a time limit, two at a time; what was compared before is not compared again, what was
 * given up is when it gets more time. With --write the table goes to `docs/foreign-networks.md`.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadSubject, measured, measuredPlain } from './measure.js';
import { page } from './page.js';
import { verdictOf, type About, type LeftOut, type Result } from './result.js';

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false }, one: { type: 'string' }, limit: { type: 'string', default: '120' } },
});
const [out = '', ...only] = positionals;
const limitSeconds = Number(flags.limit);

const read = <T>(folder: string, name: string): T => JSON.parse(readFileSync(join(folder, name), 'utf8')) as T;
const keep = (folder: string, result: Result): void => writeFileSync(join(folder, 'result.json'), JSON.stringify(result));

const known = (folder: string): Result | undefined =>
  existsSync(join(folder, 'result.json')) ? read<Result>(folder, 'result.json') : undefined;

const isOpen = (result: Result | undefined): boolean =>
  result === undefined || (['undecided', 'too slow'].includes(verdictOf(result)) && (result.gaveUpAfter ?? 0) < limitSeconds);

/** Writes down each step, so that a limit loses only what is not done. */
async function check(folder: string): Promise<void> {
  const about = read<About>(folder, 'about.json');
  if (about.failure !== null) return keep(folder, { about });
  try {
    const subject = loadSubject(folder, about);
    let result: Result = { about, single: known(folder)?.single ?? (await measured(subject, 'ort-cpu')) };
    keep(folder, result);
    if (verdictOf(result) === 'single') return;
    // Losses over tokens are weighted, which this does not do.
    if (subject.array('y').shape.length === 1) {
      result = { ...result, plain: await measuredPlain(subject) };
      keep(folder, result);
    }
    keep(folder, { ...result, exact: await measured(subject, 'reference') });
  } catch (error) {
    keep(folder, { about, problem: error instanceof Error ? error.message : String(error) });
  }
}

async function checkInTime(folder: string): Promise<void> {
  const self = spawn(process.execPath, [fileURLToPath(import.meta.url), '--one', folder], { stdio: 'inherit' });
  const timer = setTimeout(() => self.kill('SIGKILL'), limitSeconds * 1000);
  const [code, signal] = await new Promise<[number | null, string | null]>((done) => self.on('exit', (...how) => done(how)));
  clearTimeout(timer);
  if (code === 0) return;
  const how = signal === 'SIGKILL' ? { gaveUpAfter: limitSeconds } : { problem: `the process ended with ${code ?? signal}` };
  keep(folder, { ...(known(folder) ?? { about: read<About>(folder, 'about.json') }), ...how });
}

function show({ about, problem, single, exact, plain, ...rest }: Result): void {
  const errors = [single, exact, plain].map((one) =>
    one === undefined ? '' : [one.loss, one.gradient, one.product].map((x) => x.toExponential(1)).join(' '),
  );
  const verdict = verdictOf({ about, problem, single, exact, plain, ...rest } as Result);
  const text = problem ?? about.failure ?? errors.join(' | ');
  process.stdout.write(`${about.name} ${about.exporter}: ${verdict}: ${text.slice(0, 260)}\n`);
}

async function all(): Promise<void> {
  const folders = readdirSync(out)
    .sort()
    .filter((name) => only.length === 0 || only.some((part) => name.includes(part)))
    .map((name) => join(out, name))
    .filter((folder) => existsSync(join(folder, 'done')));
  const waiting = folders.filter((folder) => isOpen(known(folder)));
  const work = async (): Promise<void> => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
      await checkInTime(folder);
      show(read<Result>(folder, 'result.json'));
    }
  };
  await Promise.all([work(), work()]);
  if (!flags.write) return;
  const results = folders.map((folder) => read<Result>(folder, 'result.json'));
  const names = read<string[]>(out, 'zoo.json');
  const leftOut = readdirSync(out)
    .filter((name) => name.endsWith('.left-out.json'))
    .map((name) => read<LeftOut>(out, name));
  writeFileSync(new URL('../../../docs/foreign-networks.md', import.meta.url), page(names, results, leftOut));
}

await (flags.one === undefined ? all() : check(flags.one));
