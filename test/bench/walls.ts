/**
 * What one part does to the others: from a step that is NaN to its finding on a live socket, acknowledgements and
 * `/healthz`, while something burns, hangs, explodes or is killed; and whether anything is lost. A real training is
 * measured beside it all.
 *
 *     npm run build && node dist/test/bench/walls.js [seconds a condition] [letters of conditions, all without them]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { conditions, startTraining, type Condition } from './walls/conditions.js';
import { watchRun } from './walls/watched-run.js';
import { quantile, report, type BenchRow } from './support/report.js';
import { watchStolen } from './support/stolen.js';

const seconds = Number(process.argv[2] ?? 40);
const letters = process.argv[3] ?? 'abcdefg';
/** Runs that are watched at once; the disturbances are measured at the middle size. */
const sizes = [1, 8, 64] as const;
const settleMs = 3000;

interface Figures {
  readonly findingMs: readonly number[];
  readonly ackMs: readonly number[];
  readonly healthMs: readonly number[];
  readonly findings: number;
  readonly lost: number;
  readonly twice: number;
  readonly stolenPercent: number;
  readonly counted: Readonly<Record<string, number>>;
}

async function measure(condition: Condition, runs: number): Promise<Figures> {
  const dataDir = mkdtempSync(join(tmpdir(), 'stagewatch-walls-'));
  const service = await startServiceProcess({ dataDir, env: { STAGEWATCH_ALERTS_ALLOW_PRIVATE: 'true' } });
  const training = startTraining(service);
  try {
    await sleep(settleMs);
    const over = new AbortController();
    const disturbing = condition.disturb(service, over.signal);
    await sleep(settleMs);
    const deadlineMs = performance.now() + seconds * 1000;
    // What was stored is counted in peace: queries that burn would hold up the counting too.
    setTimeout(() => over.abort(), seconds * 1000);
    const stolen = watchStolen();
    const health = pollHealth(service, deadlineMs);
    const watched = await Promise.all(Array.from({ length: runs }, (_, i) => watchRun(service, `walls-${i}`, deadlineMs)));
    return {
      findingMs: watched.flatMap(({ findingMs }) => findingMs),
      ackMs: watched.flatMap(({ ackMs }) => ackMs),
      healthMs: await health,
      findings: watched.reduce((sum, { nans }) => sum + nans, 0),
      lost: watched.reduce((sum, { rowsLost, findingsLost }) => sum + rowsLost + findingsLost, 0),
      twice: watched.reduce((sum, { rowsTwice }) => sum + rowsTwice, 0),
      counted: await disturbing,
      stolenPercent: stolen(),
    };
  } finally {
    training.stop();
    await service.kill();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function pollHealth({ url }: ServiceProcess, deadlineMs: number): Promise<readonly number[]> {
  const tookMs: number[] = [];
  while (performance.now() < deadlineMs) {
    const askedMs = performance.now();
    await (await fetch(`${url}/healthz`)).text();
    tookMs.push(performance.now() - askedMs);
    await sleep(20);
  }
  return tookMs;
}

function rowsOf(name: string, figures: Figures, calm: Figures | undefined): readonly BenchRow[] {
  const p99 = (values: readonly number[]): number => quantile(values, 0.99);
  const beside = (of: (figures: Figures) => number): Pick<BenchRow, 'ceiling'> =>
    calm === undefined || calm === figures ? {} : { ceiling: { what: 'nothing', value: of(calm) } };
  return [
    {
      what: `${name}: step to finding p99`,
      unit: 's',
      value: p99(figures.findingMs) / 1000,
      asked: '<= 2',
      ...beside((of) => p99(of.findingMs) / 1000),
    },
    { what: `${name}: acknowledgement p99`, unit: 'ms', value: p99(figures.ackMs), ...beside((of) => p99(of.ackMs)) },
    { what: `${name}: /healthz p99`, unit: 'ms', value: p99(figures.healthMs), ...beside((of) => p99(of.healthMs)) },
    { what: `${name}: findings`, unit: 'findings', value: figures.findings },
    { what: `${name}: lost`, unit: 'rows and findings', value: figures.lost, asked: '<= 0' },
    { what: `${name}: there twice`, unit: 'rows', value: figures.twice, asked: '<= 0' },
    { what: `${name}: taken by the host of this machine`, unit: '% of its CPU', value: figures.stolenPercent },
    ...Object.entries(figures.counted).map(([what, value]) => ({ what: `${name}: ${what}`, unit: '', value })),
  ];
}

const rows: BenchRow[] = [];
let calm: Figures | undefined;
for (const condition of conditions.filter(({ name }) => letters.includes(name[1]!))) {
  const isCalm = condition === conditions[0];
  for (const runs of isCalm ? sizes : [sizes[1]]) {
    const figures = await measure(condition, runs);
    if (isCalm && runs === sizes[1]) calm = figures;
    rows.push(...rowsOf(isCalm ? `${condition.name}, ${runs} runs` : condition.name, figures, calm));
    console.log(`${condition.name}, ${runs} runs: done`);
  }
}
report('walls', rows);
process.exit(0);
