import type { Bus, KeyValue } from '#bus/bus.js';
import type { ModelDescription } from '#wire/generated/messages.js';

/** Which runs use which graphs and probe sets: both ways round, so that a deleted run takes with it what it alone used. */
export class ArtifactReferences {
  private readonly byDigest: KeyValue;
  private readonly byRun: KeyValue;

  constructor(bus: Bus) {
    this.byDigest = bus.kv('artifact-runs');
    this.byRun = bus.kv('run-artifacts');
  }

  async add(run: string, model: ModelDescription): Promise<void> {
    for (const digest of digestsOf(model)) {
      await this.byDigest.put(`${digest}.${run}`, new Uint8Array());
      await this.byRun.put(`${run}.${digest}`, new Uint8Array());
    }
  }

  /** Takes the run away, and answers the digests that no other run refers to. */
  async remove(run: string): Promise<readonly string[]> {
    const orphans: string[] = [];
    const digests: string[] = [];
    for await (const { key } of this.byRun.entries(`${run}.`)) digests.push(key.slice(run.length + 1));
    for (const digest of digests) {
      await this.byDigest.delete(`${digest}.${run}`);
      if (!(await this.isUsed(digest))) orphans.push(digest);
      await this.byRun.delete(`${run}.${digest}`);
    }
    return orphans;
  }

  private async isUsed(digest: string): Promise<boolean> {
    for await (const _ of this.byDigest.entries(`${digest}.`)) return true;
    return false;
  }
}

function digestsOf({ graphDigest, train, val }: ModelDescription): readonly string[] {
  return [graphDigest, train?.digest ?? '', val?.digest ?? ''].filter((digest) => digest !== '');
}
