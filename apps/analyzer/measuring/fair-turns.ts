/**
 * Whose turn is next, where one piece of work takes a thousand times as long as another: start-time fair queuing (Goyal,
 * Vin and Cheng 1996). Each run's next measurement carries the virtual time at which it would be done if all waiting runs
 * were served at once, and the earliest goes first: a short one does not wait for twenty long ones, and a long one has its
 * turn when the others have had as many seconds.
 */
export class FairTurns {
  /** Start of what was begun last. */
  private nowSeconds = 0;
  private readonly runs = new Map<string, Turn>();

  /** The run whose next measurement is to begin; undefined when nobody waits. */
  next(waiting: Iterable<{ readonly run: string; readonly seconds: number }>): string | undefined {
    let first: { readonly run: string; readonly end: number } | undefined;
    for (const { run, seconds } of waiting) {
      const end = this.turn(run).startSeconds + seconds;
      if (first === undefined || end < first.end) first = { run, end };
    }
    return first?.run;
  }

  began(run: string): void {
    this.nowSeconds = Math.max(this.nowSeconds, this.turn(run).startSeconds);
  }

  /** It took so long, whatever was expected. */
  ended(run: string, seconds: number): void {
    const turn = this.turn(run);
    this.runs.set(run, { startSeconds: Math.max(this.nowSeconds, turn.startSeconds + seconds) });
  }

  /** Nothing of the run waits. What it had beyond its share stays on its account for a while. */
  rests(run: string): void {
    if (this.turn(run).startSeconds <= this.nowSeconds) this.runs.delete(run);
  }

  forget(run: string): void {
    this.runs.delete(run);
  }

  private turn(run: string): Turn {
    let turn = this.runs.get(run);
    if (turn === undefined) this.runs.set(run, (turn = { startSeconds: this.nowSeconds }));
    return turn;
  }
}

interface Turn {
  readonly startSeconds: number;
}
