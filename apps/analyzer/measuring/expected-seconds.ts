/** Before anything was measured: what small networks on a processor need. */
const firstSecondsPerByte = 1e-7;
const leastSeconds = 0.01;
/** How much the newest measurement counts. */
const weight = 0.5;

/** How long the next measurement of a run will take: as those before it, or by the size of its parameters. */
export class ExpectedSeconds {
  private readonly runs = new Map<string, number>();
  private secondsPerByte = firstSecondsPerByte;

  of(run: string, bytes: number): number {
    return this.runs.get(run) ?? leastSeconds + this.secondsPerByte * bytes;
  }

  /** Undefined before the first measurement of a run. */
  known(run: string): number | undefined {
    return this.runs.get(run);
  }

  took(run: string, bytes: number, seconds: number): void {
    this.runs.set(run, mix(this.runs.get(run) ?? seconds, seconds));
    if (bytes > 0) this.secondsPerByte = mix(this.secondsPerByte, seconds / bytes);
  }

  forget(run: string): void {
    this.runs.delete(run);
  }
}

function mix(before: number, now: number): number {
  return (1 - weight) * before + weight * now;
}
