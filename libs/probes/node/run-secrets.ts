import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder of the Python probe too. */
export const defaultSecretFolder = (): string => join(homedir(), '.local/state/stagewatch/run-secrets');

/** Ids of runs sort by time: the oldest files go first. */
const maxFiles = 1000;
/** What becomes the name of a file. */
const runIdPattern = /^[A-Za-z0-9_-]{1,64}$/;
/** A damaged file is none. */
const secretPattern = /^[A-Za-z0-9_-]{32,128}$/;

/**
 * What a live run is taken up and joined with, for the next process of the same job and for its further ranks: a file a run,
 * readable by its user alone.
 */
export class RunSecrets {
  constructor(private readonly folder: string) {}

  /** Empty when none is kept here. */
  async recall(runId: string): Promise<string> {
    if (!runIdPattern.test(runId)) return '';
    const secret = await readFile(join(this.folder, runId), 'utf8').catch(() => '');
    return secretPattern.test(secret) ? secret : '';
  }

  async keep(runId: string, secret: string): Promise<void> {
    if (!runIdPattern.test(runId)) return;
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const draft = join(this.folder, `${runId}.${randomBytes(6).toString('hex')}`);
    await writeFile(draft, secret, { flag: 'wx', mode: 0o600 });
    await rename(draft, join(this.folder, runId));
    const names = await readdir(this.folder);
    for (const name of names.toSorted().slice(0, -maxFiles)) await rm(join(this.folder, name), { force: true });
  }
}
