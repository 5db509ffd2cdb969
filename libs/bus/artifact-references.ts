import { StagewatchError } from '#runtime/errors.js';
import { sleep } from '#runtime/retry.js';
import type { Bus, KeyValue } from './bus.js';

/** How long a run that wants an artifact waits until it is clear whether the artifact goes with another run. */
const patienceMs = 10_000;
const lookEveryMs = 20;
const nothing = new Uint8Array();

/**
 * Which runs use which graphs and probe sets: both ways round, so that a deleted run takes with it what it alone used.
 *
 * Who deletes marks an artifact as doomed before asking whether it is used; who uses it says so before asking whether it
 * is doomed. One of the two sees the other, so nobody relies on an artifact that is about to go. A crash leaves the mark, and the
 * deletion, which is carried out again, takes it away.
 */
export class ArtifactReferences {
  private readonly byDigest: KeyValue;
  private readonly byRun: KeyValue;
  private readonly doomed: KeyValue;

  constructor(bus: Bus) {
    this.byDigest = bus.kv('artifact-runs');
    this.byRun = bus.kv('run-artifacts');
    this.doomed = bus.kv('artifact-doomed');
  }

  /** The run uses these artifacts, whether they are there or still to come. What is there when this resolves stays there. */
  async add(run: string, digests: readonly string[]): Promise<void> {
    await Promise.all(
      digests.flatMap((digest) => [this.byRun.put(`${run}.${digest}`, nothing), this.byDigest.put(`${digest}.${run}`, nothing)]),
    );
    await Promise.all(digests.map((digest) => this.spared(digest)));
  }

  /** Takes the runs away, and lets go of each artifact that no other run refers to. */
  async remove(runs: readonly string[], erase: (digest: string) => Promise<void>): Promise<void> {
    const owned = new Set<string>();
    const keys: string[] = [];
    for (const run of runs) {
      for await (const { key } of this.byRun.entries(`${run}.`)) {
        const digest = key.slice(run.length + 1);
        owned.add(digest);
        keys.push(key);
        await this.byDigest.delete(`${digest}.${run}`);
      }
    }
    for (const digest of owned) {
      await this.doomed.put(digest, nothing);
      if (!(await this.isUsed(digest))) await erase(digest);
      await this.doomed.delete(digest);
    }
    // Last, so that a removal that broke off finds its artifacts again.
    await Promise.all(keys.map((key) => this.byRun.delete(key)));
  }

  private async spared(digest: string): Promise<void> {
    const deadline = Date.now() + patienceMs;
    while ((await this.doomed.get(digest)) !== undefined) {
      if (Date.now() > deadline) {
        throw new StagewatchError('UNAVAILABLE', 'the artifact is being removed with another run', {
          value: digest,
          retryAfterMs: 1000,
        });
      }
      await sleep(lookEveryMs);
    }
  }

  private async isUsed(digest: string): Promise<boolean> {
    for await (const _ of this.byDigest.entries(`${digest}.`)) return true;
    return false;
  }
}

/** The artifacts that a description of a model names. */
export function artifactsOf(model: {
  readonly graphDigest: string;
  readonly train: { readonly digest: string } | null;
  readonly val: { readonly digest: string } | null;
}): readonly string[] {
  const digests = [model.graphDigest, model.train?.digest ?? '', model.val?.digest ?? ''];
  return [...new Set(digests)].filter((digest) => digest !== '');
}
