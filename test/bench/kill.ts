/**
 * `kill -9` of the service, again and again, while two jobs stream: what is lost, what is there twice, what is told
 * otherwise than by a service that nobody killed.
 *
 *     npm run build && node dist/test/bench/kill.js [rounds] [seed]
 */
import { killRounds, type WatchedJob } from '../support/kill-rounds.js';
import { findPython } from '../support/needs.js';
import { furthestReading } from '../support/run-picture.js';
import { quantile, report, type BenchRow } from './support/report.js';

const rounds = Number(process.argv[2] ?? 100);
const seed = Number(process.argv[3] ?? 1);
const steps = Math.min(4000, Math.max(400, 100 * rounds));

const python = findPython('bench kill: the PyTorch job', ['torch', 'grpc', 'google.protobuf', 'numpy']);
const began = performance.now();
const { killed, undisturbed, whileStarting, startsMs, calmMs } = await killRounds({ rounds, seed, python, steps });

function rowsOf({ name, end, picture }: WatchedJob, calm: WatchedJob): readonly BenchRow[] {
  const { scalars, findings, readings } = picture;
  const differing = [...calm.picture.scalars].filter(([at, value]) => scalars.get(at) !== value).length;
  const told = findings.length === calm.picture.findings.length && findings.every((f, i) => f === calm.picture.findings[i]);
  const { difference } = furthestReading(picture, calm.picture);
  const row = (what: string, unit: string, value: number, asked?: string): BenchRow => ({
    what: `${name}: ${what}`,
    unit,
    value,
    ...(asked === undefined ? {} : { asked }),
  });
  return [
    row('numbers logged', 'numbers', calm.picture.scalars.size),
    row('lost or different', 'numbers', differing, '<= 0'),
    row('there twice', 'numbers', picture.rows - picture.identities, '<= 0'),
    row('steps measured', 'steps', [...readings.keys()].filter((at) => at.startsWith('sharpness  ')).length),
    row(
      'measured at other steps',
      'readings',
      [...calm.picture.readings.keys()].filter((at) => !readings.has(at)).length,
      '<= 0',
    ),
    row('largest relative difference of a reading', '1', difference, '<= 0.001'),
    row('findings', 'findings', findings.length),
    row('findings told otherwise', 'lists', told ? 0 : 1, '<= 0'),
    row('exit code of the job', 'code', end.code ?? -1, '<= 0'),
  ];
}

report('kill', [
  { what: 'rounds of kill -9', unit: 'rounds', value: rounds },
  { what: 'of them before it was ready', unit: 'rounds', value: whileStarting },
  { what: 'start on what was left, median', unit: 's', value: quantile(startsMs, 0.5) / 1000, asked: '<= 5' },
  { what: 'start on what was left, slowest', unit: 's', value: Math.max(...startsMs) / 1000, asked: '<= 5' },
  ...killed.flatMap((job, i) => rowsOf(job, undisturbed[i]!)),
  { what: 'undisturbed part', unit: 's', value: calmMs / 1000 },
  { what: 'the whole', unit: 's', value: (performance.now() - began) / 1000 },
]);
process.exit(0);
