import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '#runtime/package-root.js';
import type { WideJobOptions } from '../attacks/jobs/wide-job.js';
import type { JobLine, JobOptions } from '../system/jobs/job-options.js';

export interface JobEnd {
  readonly code: number | null;
  readonly steps: number;
  /** The probe says that everything was acknowledged. */
  readonly delivered: boolean;
  readonly errors: string;
}

/** A training job as a process of its own. */
export interface JobProcess {
  /** Its run, once the service has answered it. */
  readonly run: Promise<string>;
  /** Newest step that is over. */
  readonly step: number;
  readonly exited: Promise<JobEnd>;
  /** For a paced job: up to which step it may go. */
  allow(step: number): void;
  /** It may go to its end. */
  release(): void;
  untilStep(step: number): Promise<void>;
  kill(): void;
}

const jobs = join(packageRoot, 'dist/test/system/jobs');
/** Jobs of tests leave nothing in the home folder of whoever runs them. */
const ownSecretFolder = mkdtempSync(join(tmpdir(), 'stagewatch-secrets-'));
process.once('exit', () => rmSync(ownSecretFolder, { recursive: true, force: true }));

export function startNodeJob(options: JobOptions): JobProcess {
  return startJob(process.execPath, [join(jobs, 'node-job.js')], options);
}

/** A job whose snapshots are dear to measure. */
export function startWideJob(options: WideJobOptions): JobProcess {
  return startJob(process.execPath, [join(packageRoot, 'dist/test/attacks/jobs/wide-job.js')], options);
}

/** `python`: one that imports torch (`findPython`). */
export function startTorchJob(python: string, options: JobOptions): JobProcess {
  const env = { PYTHONPATH: join(packageRoot, 'libs/probes/python/src'), PYTHONWARNINGS: 'ignore' };
  return startJob(python, [join(packageRoot, 'test/system/jobs/torch_job.py')], options, env);
}

function startJob(
  command: string,
  args: readonly string[],
  given: JobOptions,
  env: Readonly<Record<string, string>> = {},
): JobProcess {
  const { secretFolder = ownSecretFolder } = given;
  const options = { ...given, secretFolder };
  const child = spawn(command, [...args, JSON.stringify(options)], {
    env: { ...process.env, STAGEWATCH_SECRET_FOLDER: secretFolder, ...env },
  });
  let errors = '';
  let step = -1;
  let end: { readonly steps: number; readonly delivered: boolean } | undefined;
  let wake = (): void => undefined;
  let known: (run: string) => void;
  let unknown: (error: Error) => void;
  const run = new Promise<string>((resolve, reject) => ([known, unknown] = [resolve, reject]));
  run.catch(() => undefined);
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  // A job that has ended reads no more; its exit code tells.
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as JobLine;
    if ('step' in line) step = line.step;
    else if ('steps' in line) end = line;
    else if (line.run !== null) known(line.run);
    else unknown(new Error(`the job was refused\n${errors}`));
    wake();
  });
  let over = false;
  const exited = new Promise<JobEnd>((resolve) => {
    child.once('close', (code) => {
      over = true;
      unknown(new Error(`the job ended with ${code} before it had a run\n${errors}`));
      resolve({ code, steps: end?.steps ?? step + 1, delivered: end?.delivered ?? false, errors });
      wake();
    });
  });
  return {
    run,
    get step() {
      return step;
    },
    exited,
    allow: (until) => void child.stdin.write(`${until}\n`),
    release: () => void child.stdin.end(),
    untilStep: async (until) => {
      while (step < until) {
        if (over) throw new Error(`the job ended at step ${step}, before step ${until}\n${errors}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
