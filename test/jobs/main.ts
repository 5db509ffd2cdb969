/**
 * Real jobs against the real service: which of them are told truly.
 *
 *     npm run jobs [-- --only PATTERN] [--torch debian|pypi] [--short] [--patience SECONDS]
 *
 * `--patience` (300) is how long a job's snapshots may wait to be measured after its end: longer on a machine that others use.
 * Without `--torch` all of them run on the newest PyTorch 2 of the index, and then those that can on Debian's. Writes
 * test/jobs/out/jobs.json; exits with 1 when one is not told truly.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '#runtime/package-root.js';
import { pythonWith } from './environments.js';
import type { Torch } from './job-case.js';
import { jobs } from './table.js';
import { openCorpusService, removeFolder, tell, type Told } from './tell.js';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    torch: { type: 'string' },
    short: { type: 'boolean', default: false },
    patience: { type: 'string', default: '300' },
  },
});
/** The next job runs while the last snapshots of those before it are measured. */
const mostUnfinished = 3;

const torches = (options.torch === undefined ? ['pypi', 'debian'] : [options.torch]) as Torch[];
const asked = jobs.filter(
  ({ name, short }) => (options.only === undefined || new RegExp(options.only).test(name)) && (!options.short || short === true),
);

if (torches.some((torch) => torch !== 'pypi' && torch !== 'debian')) throw new Error('--torch is pypi or debian');

type Line = Told & { readonly torch: Torch };

async function tellAll(torch: Torch): Promise<readonly Line[]> {
  const python = pythonWith(torch);
  const service = await openCorpusService();
  const lines: Promise<Line>[] = [];
  for (const job of asked.filter((one) => torch === 'pypi' || one.torch === undefined)) {
    await lines.at(-mostUnfinished);
    const folder = mkdtempSync(join(service.folder, 'job-'));
    const finish = await tell(job, python, service, { folder, measuredWithinMs: Number(options.patience) * 1000 });
    const line = finish().then((told) => ({ ...told, torch }));
    lines.push(line);
    void line.then(print);
  }
  const told = await Promise.all(lines);
  await service.stop();
  removeFolder(service.folder);
  return told;
}

function print({ torch, name, ok, seen, seconds }: Line): void {
  console.log(`${ok ? 'ok    ' : 'FALSE '} ${torch.padEnd(6)} ${name.padEnd(44)} ${seconds.toFixed(1).padStart(5)} s  ${seen}`);
}

const told: Line[] = [];
for (const torch of torches) told.push(...(await tellAll(torch)));
const out = join(packageRoot, 'test/jobs/out');
mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'jobs.json'), `${JSON.stringify(told, undefined, 2)}\n`);
console.table(told.map(({ torch, name, expected, seen, ok }) => ({ torch, name, expected, seen: seen.slice(0, 100), ok })));
const falsely = told.filter(({ ok }) => !ok).length;
console.log(`${told.length - falsely} of ${told.length} jobs are told truly`);
process.exit(falsely === 0 && told.length > 0 ? 0 : 1);
