/** Every step up to here has its snapshot. */
const denseSteps = 10;
const defaultFactor = 1.1;

export interface CadenceWish {
  readonly fromStep: number;
  readonly everySteps: number;
  readonly factor: number;
  /** Where it ends, and how long after it was heard; 0 and undefined are no end. */
  readonly untilStep?: number;
  readonly forMs?: number;
}

/**
 * Says at which steps a snapshot is due: each of the first ones, then whenever the step has grown by a factor since the
 * last. The service may ask for another cadence from a step on, and for one snapshot now. With `every` a snapshot is due
 * every so many steps from the first one on, whatever the service wishes.
 */
export class Cadence {
  private wish: CadenceWish | undefined;
  private wishedMs = 0;
  private asked: string | undefined;
  private last: number | undefined;

  constructor(
    private readonly firstStep = 0,
    private readonly every?: number,
    private readonly now: () => number = () => performance.now(),
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
    this.wishedMs = this.now();
  }

  /** The wish that holds at this step: one that comes too late has ended before it begins. */
  private wished(step: number): CadenceWish | undefined {
    const { wish } = this;
    if (wish === undefined || step < wish.fromStep) return undefined;
    const { untilStep = 0, forMs = 0 } = wish;
    if (untilStep > 0 && step >= untilStep) return undefined;
    return forMs > 0 && this.now() - this.wishedMs > forMs ? undefined : wish;
  }

  private next(last: number): number {
    if (this.every !== undefined) return last + this.every - ((last - this.firstStep) % this.every);
    // A job that goes on counts its dense steps from where it began anew.
    if (last - this.firstStep < denseSteps) return last + 1;
    const wish = this.wished(last);
    const factor = wish !== undefined && wish.factor > 1 ? wish.factor : wish === undefined ? defaultFactor : 1;
    return Math.max(last + Math.max(1, wish?.everySteps ?? 1), Math.ceil(last * factor));
  }
}
