import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';
import type { JobCase } from './job-case.js';

/** What a job did, as it is known without the service. */
export interface JobOutcome {
  readonly exit: number | NodeJS.Signals;
  readonly errors: string;
  readonly seconds: number;
  /** Numbers that each of its runs reported, in order: name and value. */
  readonly reported: readonly (readonly Reported[])[];
  /** Values that it printed itself. */
  readonly truths: readonly Truth[];
}

export interface Reported {
  readonly name: string;
  readonly value: number;
}

export interface Truth {
  readonly step: number;
  readonly name: string;
  readonly value: number;
}

export interface JobPlace {
  readonly python: string;
  readonly address: string;
  /** Its own: home, temporary files, and what its probe keeps for the next one. */
  readonly folder: string;
  /** What its runs are found by. */
  readonly project: string;
}

const longestMs = 180_000;

/** Runs a job to its end, and sends it the signal that its case names. */
export async function runJob(job: JobCase, place: JobPlace): Promise<JobOutcome> {
  mkdirSync(join(place.folder, 'tmp'), { recursive: true });
  const witness = join(place.folder, 'reported.jsonl');
  const script = join(packageRoot, job.script.includes('/') ? job.script : `test/jobs/scripts/${job.script}`);
  const began = performance.now();
  const child = spawn(place.python, [script, ...(job.args ?? [])], { env: environment(place, witness), cwd: place.folder });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-50_000)));
  const tooLong = setTimeout(() => child.kill('SIGKILL'), longestMs);
  const { signal } = job;
  const signalled =
    signal &&
    setInterval(() => {
      if (linesOf(witness).length <= signal.afterReports) return;
      clearInterval(signalled);
      child.kill(signal.signal);
    }, 50);
  const exit = await new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('close', (code, by) => resolve(code ?? by ?? 'SIGKILL')),
  );
  clearTimeout(tooLong);
  clearInterval(signalled);
  return {
    exit,
    errors,
    seconds: (performance.now() - began) / 1000,
    reported: reportedIn(linesOf(witness)),
    truths: output.split('\n').flatMap(truthIn),
  };
}

function environment(place: JobPlace, witness: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PYTHONPATH: [join(packageRoot, 'test/jobs/witness'), join(packageRoot, 'libs/probes/python/src')].join(':'),
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONWARNINGS: 'ignore',
    OMP_NUM_THREADS: '1',
    TOKENIZERS_PARALLELISM: 'false',
    HF_HUB_OFFLINE: '1',
    HOME: place.folder,
    TMPDIR: join(place.folder, 'tmp'),
    XDG_STATE_HOME: join(place.folder, 'state'),
    XDG_CACHE_HOME: join(place.folder, 'cache'),
    IPYTHONDIR: join(place.folder, 'ipython'),
    STAGEWATCH_ADDRESS: place.address,
    STAGEWATCH_JOBS_WITNESS: witness,
    STAGEWATCH_JOBS_PROJECT: place.project,
  };
}

const linesOf = (file: string): readonly string[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.endsWith('}'))
    : [];

type WitnessLine = { readonly run: number; readonly values?: Readonly<Record<string, string>> };

/** A second process of the same job counts its runs from zero again: a line that names a run begins one. */
function reportedIn(lines: readonly string[]): readonly (readonly Reported[])[] {
  const runs: Reported[][] = [];
  let firstOfProcess = 0;
  for (const line of lines) {
    const { run, values } = JSON.parse(line) as WitnessLine;
    if (values === undefined) {
      if (run === 0) firstOfProcess = runs.length;
      runs.push([]);
    } else {
      const numbers = Object.entries(values).map(([name, value]) => ({ name, value: numberOf(value) }));
      runs[firstOfProcess + run]!.push(...numbers);
    }
  }
  return runs;
}

const numberOf = (text: string): number => Number(text.replace('inf', 'Infinity'));

function truthIn(line: string): readonly Truth[] {
  if (!line.startsWith('{"step"')) return [];
  const { step, name, value } = JSON.parse(line.replace(/\bNaN\b/, 'null')) as Truth;
  return [{ step, name, value: value ?? Number.NaN }];
}
