/** Every step up to here has its snapshot. */
const denseSteps = 10;
const defaultFactor = 1.1;

export interface CadenceWish {
  readonly fromStep: number;
  readonly everySteps: number;
  readonly factor: number;
}

/**
 * Says at which steps a snapshot is due: each of the first ones, then whenever the step has grown by a factor since the
 * last. The service may ask for another cadence from a step on, and for one snapshot now. With `every` a snapshot is due
 * every so many steps from the first one on, whatever the service wishes.
 */
export class Cadence {
  private wish: CadenceWish | undefined;
  private asked: string | undefined;
  private last: number | undefined;

  constructor(
    private readonly firstStep = 0,
    private readonly every?: number,
  ) {}

  /** Why a snapshot is due at this step; undefined when none is. */
  due(step: number): string | undefined {
    if (this.asked !== undefined) return this.asked;
    if (this.last === undefined) return 'cadence';
    if (step <= this.last) return undefined;
    return step >= this.next(this.last) ? 'cadence' : undefined;
  }

  taken(step: number): void {
    this.last = step;
    this.asked = undefined;
  }

  askNow(reason: string): void {
    if (this.every === undefined) this.asked = reason === '' ? 'asked' : reason;
  }

  change(wish: CadenceWish): void {
    this.wish = wish;
  }

  private next(last: number): number {
    if (this.every !== undefined) return last + this.every - ((last - this.firstStep) % this.every);
    // A job that goes on counts its dense steps from where it began anew.
    if (last - this.firstStep < denseSteps) return last + 1;
    const wish = this.wish !== undefined && last >= this.wish.fromStep ? this.wish : undefined;
    const factor = wish !== undefined && wish.factor > 1 ? wish.factor : wish === undefined ? defaultFactor : 1;
    return Math.max(last + Math.max(1, wish?.everySteps ?? 1), Math.ceil(last * factor));
  }
}
