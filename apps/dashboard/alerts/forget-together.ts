/** Gathers what is asked for while a pass is under way, so that hundreds of runs cost two passes and not hundreds. */
export class ForgetTogether {
  private next = new Set<string>();
  private passing: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | undefined;

  constructor(private readonly pass: (runs: ReadonlySet<string>) => Promise<void>) {}

  forget(run: string): Promise<void> {
    this.next.add(run);
    this.waiting ??= this.passing.then(() => {
      const runs = this.next;
      this.next = new Set();
      this.waiting = undefined;
      const pass = this.pass(runs);
      this.passing = pass.catch(() => undefined);
      return pass;
    });
    return this.waiting;
  }
}
