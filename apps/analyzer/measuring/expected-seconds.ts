/** Before anything was measured: what small networks on a processor need. */
const firstSecondsPerByte = 1e-7;
const leastSeconds = 0.01;
/** How much the newest measurement counts. */
const weight = 0.5;
const recent = 4;

/** How long the next measurement of a run will take: as those before it, or by the size of its parameters. */
export class ExpectedSeconds {
  private readonly runs = new Map<string, { readonly seconds: readonly number[]; readonly isCold: boolean }>();
  private secondsPerByte = firstSecondsPerByte;

  of(run: string, bytes: number): number {
    return this.runs.get(run)?.seconds.at(-1) ?? leastSeconds + this.secondsPerByte * bytes;
  }

  /**
   * As long as it certainly takes: the shortest of the last few. The first of a run loads and checks its model besides, and
   * says little of the next: undefined after that one, unless it was so long that this does not explain it.
   */
  atLeast(run: string, coldSeconds: number): number | undefined {
    const known = this.runs.get(run);
    if (known === undefined) return undefined;
    const shortest = known.seconds.reduce((least, seconds) => Math.min(least, seconds), Infinity);
    return known.isCold && shortest < coldSeconds ? undefined : shortest;
  }

  took(run: string, bytes: number, seconds: number): void {
    const known = this.runs.get(run);
    const before = known === undefined || known.isCold ? [] : known.seconds;
    this.runs.set(run, { seconds: [...before, seconds].slice(-recent), isCold: known === undefined });
    if (bytes > 0) this.secondsPerByte = (1 - weight) * this.secondsPerByte + (weight * seconds) / bytes;
  }

  forget(run: string): void {
    this.runs.delete(run);
  }
}
