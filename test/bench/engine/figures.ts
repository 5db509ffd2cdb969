import { vectorCount } from './workloads.js';
import { tolerance } from './agreement.js';
import type { Contender } from './contender.js';
import type { BenchRow } from '../support/report.js';

/** One thing that one process was timed at. */
export interface Entry {
  readonly contender: Contender;
  readonly what: string;
  /** From float64, relative to the norm. */
  readonly difference: number;
  readonly facts: Readonly<Record<string, number>>;
  minimumMs: number;
}

const ours = 'stagewatch';
/** Traced again for every snapshot: shown as a bound, and not compared with. */
const bounds: ReadonlySet<string> = new Set(['torch-compile']);
const onTorch: ReadonlySet<string> = new Set(['torch-compile', 'curvlinops']);
const kept: ReadonlySet<string> = new Set(['kept', 'product']);

function best(entries: readonly Entry[], isMeant: (entry: Entry) => boolean): Entry | undefined {
  return entries
    .filter(isMeant)
    .reduce<Entry | undefined>((a, b) => (a === undefined || b.minimumMs < a.minimumMs ? b : a), undefined);
}

/** Prints the table of one workload; answers the figures that were asked for. */
export function figuresOf(workload: string, entries: readonly Entry[]): BenchRow[] {
  const gradientOf = (name: string): number =>
    best(entries, ({ contender, what }) => contender.name === name && what === 'gradient')?.minimumMs ?? Number.NaN;
  console.log(`\n${workload}: ms, the minimum over turns, by allocator (four: per product)`);
  const names = new Set(entries.map(({ contender, what }) => `${contender.name}: ${what}`));
  console.table(
    [...names].map((name) => {
      const same = entries.filter(({ contender, what }) => `${contender.name}: ${what}` === name);
      const each = (allocator: string): number =>
        (same.find(({ contender }) => contender.allocator === allocator)?.minimumMs ?? Number.NaN) /
        (same[0]?.what.startsWith('four') ? vectorCount : 1);
      const off = Math.max(...same.map(({ difference }) => difference));
      const framework = same[0]?.contender.name ?? '';
      return {
        what: name,
        default: each('default').toFixed(1),
        keeping: each('keeping').toFixed(1),
        'over own gradient': (
          Math.min(each('default'), each('keeping')) / gradientOf(onTorch.has(framework) ? 'torch' : framework)
        ).toFixed(2),
        'off float64 by': `${off.toExponential(1)}${off > tolerance ? ' !' : ''}`,
      };
    }),
  );
  return compared(workload, entries);
}

function compared(workload: string, entries: readonly Entry[]): BenchRow[] {
  const own = (wanted: string): Entry | undefined =>
    best(entries, ({ contender, what }) => contender.name === ours && what === wanted);
  const isTool = ({ contender }: Entry): boolean => contender.name !== ours && !bounds.has(contender.name);
  const rows: BenchRow[] = [];
  const row = (what: string, entry: Entry | undefined, beside: Entry | undefined, asked: string, count = 1): void => {
    if (entry === undefined || (beside === undefined && asked !== '')) return;
    const ceiling = beside && { what: `${beside.contender.name}: ${beside.what}`, value: beside.minimumMs / count };
    rows.push({
      what: `${workload}: ${what}`,
      unit: 'ms',
      value: entry.minimumMs / count,
      ...(asked && { asked }),
      ...(ceiling && { ceiling }),
    });
  };
  row(
    'a product',
    own('kept'),
    best(entries, (entry) => isTool(entry) && kept.has(entry.what)),
    'ratio <= 1',
  );
  row(
    'a product',
    own('kept'),
    best(entries, ({ what }) => what === 'double backward'),
    'ratio <= 0.5',
  );
  row('a product', own('kept'), own('gradient'), 'ratio near 1.1');
  row(
    'a product',
    own('kept'),
    best(entries, ({ contender }) => bounds.has(contender.name)),
    'a bound',
  );
  row(
    'one of four',
    own('four'),
    best(entries, (entry) => isTool(entry) && entry.what.startsWith('four')),
    'ratio <= 1',
    vectorCount,
  );
  row('a product, and what a tracker does with it', own('tracked'), own('kept'), 'ratio near 1');
  row('the primal part', own('primal part'), own('gradient'), '');
  const facts = own('kept')?.facts ?? {};
  const limits: Readonly<Record<string, string>> = workload === 'mlp' ? { preparationMs: '<= 1000' } : {};
  for (const [name, value] of Object.entries(facts)) {
    const asked = limits[name];
    rows.push({ what: `${workload}: ${name}`, unit: name.endsWith('Ms') ? 'ms' : 'MB', value, ...(asked && { asked }) });
  }
  return rows;
}
