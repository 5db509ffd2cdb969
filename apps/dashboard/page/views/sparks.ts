import { fromJsonNumber } from '#math/json-number.js';
import type { Api } from '../live/api.js';
import { Lane } from '../live/patience.js';
import { fill } from '../dom.js';
import { sparkline } from './sparkline.js';

const points = 60;
const parallelRequests = 2;
const refreshMs = 20_000;

/** Small pictures of the loss, fetched for rows in sight only, a few at a time. */
export class Sparks {
  private readonly lane = new Lane(parallelRequests);
  private readonly drawn = new Map<string, { steps: number; atMs: number }>();
  private readonly sight: IntersectionObserver;
  private readonly slots = new Map<Element, { run: string; step: number }>();

  constructor(private readonly api: Api) {
    this.sight = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting) void this.draw(target);
    });
  }

  close(): void {
    this.sight.disconnect();
  }

  /** Keeps the picture in `slot` about as new as the run. */
  watch(slot: Element, run: string, step: number): void {
    const before = this.slots.get(slot);
    this.slots.set(slot, { run, step });
    if (before === undefined) this.sight.observe(slot);
    else if (before.step !== step && Date.now() - (this.drawn.get(run)?.atMs ?? 0) > refreshMs) {
      this.sight.unobserve(slot);
      this.sight.observe(slot);
    }
  }

  forget(slot: Element): void {
    this.sight.unobserve(slot);
    this.slots.delete(slot);
  }

  private async draw(slot: Element): Promise<void> {
    const wanted = this.slots.get(slot);
    if (wanted === undefined) return;
    const { run, step } = wanted;
    if (this.drawn.get(run)?.steps === step && slot.childElementCount > 0) return;
    this.drawn.set(run, { steps: step, atMs: Date.now() });
    for (const name of ['loss.train', 'loss.probe']) {
      const answer = await this.lane.run(() => this.api.series(run, { name, key: '', max: points })).catch(() => undefined);
      if (answer === undefined) return;
      if (answer.steps.length < 2) continue;
      fill(slot, sparkline(answer.values.map((value) => fromJsonNumber(value) ?? Number.NaN)));
      return;
    }
  }
}
