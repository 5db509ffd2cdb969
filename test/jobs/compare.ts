import { neverFound, type JobCase, type RunTruth } from './job-case.js';
import type { JobOutcome, Reported, Truth } from './job-run.js';
import type { Point, SeenRun } from './seen.js';

/** Readings are in single precision; what a job logs arrives as it was. */
const relativeTolerance: Readonly<Record<string, number>> = { 'loss.train': 1e-6, 'loss.probe': 1e-4, sharpness: 1e-3 };

const mostShown = 5;
/** What is left out for the same reason is told now and then, not step by step. */
const mostGapsOfAKind = 3;

/** What is not true of a job, each as a sentence; none when all of it was told truly. */
export function untrue(job: JobCase, outcome: JobOutcome, seen: readonly SeenRun[]): readonly string[] {
  const runs = job.runs ?? [{}];
  const exit = job.exit ?? 0;
  return [
    ...(outcome.exit === exit ? [] : [`the job ended with ${outcome.exit}, not ${exit}: ${lastLines(outcome.errors)}`]),
    ...(exit === 0 && outcome.errors.includes('Traceback') ? [`the probe raised: ${lastLines(outcome.errors)}`] : []),
    ...(outcome.errors.includes('fork_posix') ? ['gRPC warned of a fork'] : []),
    ...(seen.length === runs.length ? [] : [`${seen.length} runs, not ${runs.length}`]),
    ...runs.flatMap((truth, i) => {
      const run = seen[i];
      const reported = isOneRun(runs) ? outcome.reported.flat() : (outcome.reported[i] ?? []);
      const prefix = isOneRun(runs) ? '' : `run ${i + 1}: `;
      return run === undefined ? [] : untrueOf(truth, { ...outcome, reported: [reported] }, run).map((text) => prefix + text);
    }),
  ];
}

/** Attempts of one run are several processes, and one row. */
const isOneRun = (runs: readonly unknown[]): boolean => runs.length === 1;

function untrueOf(truth: RunTruth, outcome: JobOutcome, run: SeenRun): readonly string[] {
  const status = truth.status ?? 'finished';
  return [
    ...(run.body.status === status ? [] : [`status ${run.body.status}, not ${status}`]),
    ...(truth.batchSize === undefined || run.body.batchSize === truth.batchSize
      ? []
      : [`batch ${run.body.batchSize}, not ${truth.batchSize}`]),
    ...(truth.endsIn === undefined || truth.endsIn.test(run.body.stage) ? [] : [`it ends in ${run.body.stage}`]),
    ...untrueScalars(truth, outcome, run),
    ...untrueFindings(truth, run.findings),
    ...untrueDecline(truth, run.findings),
    ...untrueInstruments(truth, run),
    ...Object.entries(truth.compared ?? {}).flatMap(([name, least]) =>
      untrueValues(
        name,
        least,
        outcome.truths.filter((value) => value.name === name),
        run,
      ),
    ),
    ...untrueThreshold(truth, run.readings),
    ...(truth.said === undefined || isSaid(truth.said, outcome, run) ? [] : [`nowhere said: ${truth.said.source}`]),
    ...(isMeasuring(run) ? [`still measuring, ${run.body.measuring.waiting} snapshots waiting`] : []),
  ];
}

function isSaid(pattern: RegExp, { errors }: JobOutcome, { instruments, findings }: SeenRun): boolean {
  const reasons = [...instruments.values()].map(({ reason }) => reason);
  return [errors, ...reasons, ...findings].some((text) => pattern.test(text));
}

const isMeasuring = ({ body: { measuring } }: SeenRun): boolean => measuring.underWay !== null || measuring.waiting > 0;

/** What the probe logs besides. */
const seenByProbe: ReadonlySet<string> = new Set(['batch_size', 'gradient.clip']);

function untrueScalars({ leftOut }: RunTruth, outcome: JobOutcome, run: SeenRun): readonly string[] {
  const mayMiss = leftOut !== undefined && isSaid(leftOut.said, outcome, run) ? leftOut.names : undefined;
  const [expected, stored] = [countsOf(outcome.reported[0]!), countsOf(run.scalars)];
  const names = [...new Set([...expected.keys(), ...stored.keys()])].filter((name) => !seenByProbe.has(name)).toSorted();
  const texts = names.flatMap((name) => {
    const [here, there] = [expected.get(name), stored.get(name)];
    if (here?.sorted === there?.sorted || mayMiss?.test(name) === true) return [];
    return [`${name}: ${there?.count ?? 0} of ${here?.count ?? 0} in ClickHouse, ${there?.nan ?? 0} of ${here?.nan ?? 0} NaN`];
  });
  return texts.length > mostShown ? [...texts.slice(0, mostShown), `and ${texts.length - mostShown} further names`] : texts;
}

interface Counted {
  readonly count: number;
  readonly nan: number;
  /** Values without their order: steps are compared where a job prints them. */
  readonly sorted: string;
}

function countsOf(numbers: readonly (Reported | Point)[]): ReadonlyMap<string, Counted> {
  const byName = new Map<string, number[]>();
  for (const { name, value } of numbers) {
    const values = byName.get(name);
    if (values === undefined) byName.set(name, [value]);
    else values.push(value);
  }
  return new Map(
    [...byName].map(([name, values]) => {
      const sorted = values.map(String).toSorted().join(' ');
      return [name, { count: values.length, nan: values.filter(Number.isNaN).length, sorted }];
    }),
  );
}

function untrueFindings({ found = [], mayFind = [], notFound = [] }: RunTruth, findings: readonly string[]): readonly string[] {
  const forbidden = [...neverFound, ...notFound];
  const permitted = [...found, ...mayFind];
  const wrong = findings
    .filter((finding) => forbidden.some((pattern) => pattern.test(finding)))
    .filter((finding) => !permitted.some((pattern) => pattern.test(finding)));
  const gaps = findings.filter((finding) => finding.startsWith('gap ')).map((finding) => finding.split('|')[0]!.trim());
  const repeated = [...new Set(gaps)].filter((kind) => gaps.filter((gap) => gap === kind).length > mostGapsOfAKind);
  return [
    ...found
      .filter((pattern) => !findings.some((finding) => pattern.test(finding)))
      .map((pattern) => `not found: ${pattern.source}`),
    ...wrong.slice(0, mostShown).map((finding) => `found: ${finding}`),
    ...(wrong.length > mostShown ? [`and ${wrong.length - mostShown} further findings`] : []),
    ...repeated.map((kind) => `said again and again: ${kind}`),
  ];
}

/** What falls in the first epochs of mini-batches is noise. */
function untrueDecline({ declinesFrom = Number.POSITIVE_INFINITY }: RunTruth, findings: readonly string[]): readonly string[] {
  const steps = findings
    .map((finding) => /^stage late_decline.*\| step (\d+):/.exec(finding)?.[1])
    .filter((step) => step !== undefined);
  return steps.filter((step) => Number(step) < declinesFrom).map((step) => `found: late_decline at step ${step}`);
}

function untrueInstruments({ on = [], off = {}, onOr = {}, message }: RunTruth, run: SeenRun): readonly string[] {
  const reasonOf = (name: string): string => run.instruments.get(name)?.reason ?? 'nothing is said of it';
  const isOn = (name: string): boolean => run.instruments.get(name)?.on === true;
  const count = (name: string): number => run.readings.filter((reading) => reading.name === name).length;
  const newest = (name: string): number =>
    Math.max(...run.readings.filter((reading) => reading.name === name).map(({ step }) => step));
  const failed = run.findings.filter((finding) => finding.startsWith('failed '));
  return [
    ...on.filter((name) => !isOn(name)).map((name) => `${name} is off: ${reasonOf(name)}`),
    ...on.filter((name) => isOn(name) && count(name) === 0).map((name) => `${name} is on, without a reading`),
    ...(on.includes('sharpness') && isOn('sharpness') && !isMeasuring(run) && newest('sharpness') < run.body.step
      ? [`the newest reading is of step ${newest('sharpness')}, the run's of ${run.body.step}`]
      : []),
    ...Object.entries(off)
      .filter(([name]) => isOn(name))
      .map(([name]) => `${name} is on`),
    ...Object.entries({ ...off, ...onOr })
      .filter(([name, reason]) => !isOn(name) && !reason.test(reasonOf(name)))
      .map(([name]) => `${name} is off, and the reason is: ${reasonOf(name)}`),
    ...(message !== undefined && !failed.some((finding) => message.test(finding))
      ? [`the job's message is not in a finding 'failed': ${failed.join('; ') || 'none'}`]
      : []),
  ];
}

function untrueValues(name: string, least: number, truths: readonly Truth[], run: SeenRun): readonly string[] {
  const tolerance = relativeTolerance[name]!;
  const stored = new Map(
    [...run.scalars, ...run.readings].filter((point) => point.name === name).map((point) => [point.step, point]),
  );
  const pairs = truths.flatMap(({ step, value }) => {
    const point = stored.get(step);
    return point === undefined ? [] : [{ step, value, point }];
  });
  const wrong = pairs.filter(({ value, point }) => !(Math.abs(point.value - value) <= tolerance * Math.abs(value)));
  // What a job logs has no bound; one of a reading may fail once in twenty times.
  const outside = pairs.filter(({ value, point }) => point.bound > 0 && Math.abs(point.value - value) > point.bound);
  const shown = wrong.slice(0, 3).map(({ step, value, point }) => `${point.value} at ${step}, in truth ${value}`);
  return [
    ...(pairs.length >= least ? [] : [`${name}: ${pairs.length} values to compare, not ${least}`]),
    ...(wrong.length === 0 ? [] : [`${name}: ${wrong.length} of ${pairs.length} wrong: ${shown.join('; ')}`]),
    ...(outside.length <= 0.05 * pairs.length ? [] : [`${name}: ${outside.length} of ${pairs.length} outside their bounds`]),
  ];
}

function untrueThreshold({ threshold }: RunTruth, readings: readonly Point[]): readonly string[] {
  if (threshold === undefined) return [];
  const values = readings.filter(({ name }) => name === 'sharpness.threshold').map(({ value }) => value);
  const wrong = values.filter((value) => !(Math.abs(value - threshold) <= 1e-6 * threshold));
  return values.length > 0 && wrong.length === 0 ? [] : [`sharpness.threshold is ${wrong[0] ?? 'not there'}, not ${threshold}`];
}

const lastLines = (text: string): string => text.trim().split('\n').slice(-3).join(' / ').slice(-400);
