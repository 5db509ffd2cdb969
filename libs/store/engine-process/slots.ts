/** Lets so many work at a time; the others wait in line, as many as may. */
export class Slots {
  private readonly line: (() => void)[] = [];
  private taken = 0;

  constructor(
    private readonly count: number,
    private readonly maxWaiting: number,
  ) {}

  /** Undefined when the line is full already, or when the signal came first; otherwise what gives the place back. */
  async take(signal: AbortSignal): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined;
    if (this.taken < this.count) {
      this.taken++;
      return this.giver();
    }
    if (this.line.length >= this.maxWaiting) return undefined;
    return await new Promise((resolve) => {
      const leave = (): void => {
        this.line.splice(this.line.indexOf(turn), 1);
        resolve(undefined);
      };
      const turn = (): void => {
        signal.removeEventListener('abort', leave);
        resolve(this.giver());
      };
      this.line.push(turn);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  private giver(): () => void {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = this.line.shift();
      // The place goes from hand to hand; it is never free in between.
      if (next === undefined) this.taken--;
      else next();
    };
  }
}
