import type { Item } from './outbox.js';
import { ReceiverLane, type LaneParts, type ReceiverState } from './receiver-lane.js';

/** Hands what waits to the lane of its receiver. */
export class Dispatcher {
  private readonly lanes = new Map<string, ReceiverLane>();

  constructor(private readonly parts: LaneParts) {}

  /** Takes up what an earlier process left. */
  async start(): Promise<void> {
    const { outbox } = this.parts;
    // An item that a crash left unmarked is in a delivery that was never tried.
    const sealed = new Set<string>();
    for await (const delivery of outbox.deliveries()) {
      if (delivery.state === 'pending') for (const key of delivery.items) sealed.add(key);
      this.lane(delivery.rule).takeUp(delivery);
    }
    for (const item of await outbox.waiting(sealed)) this.lane(item.rule).add(item);
    for (const lane of this.lanes.values()) lane.wake();
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.lanes.values(), (lane) => lane.close()));
  }

  add(item: Item): void {
    const lane = this.lane(item.rule);
    lane.add(item);
    lane.wake();
  }

  ruleChanged(id: string): void {
    this.lanes.get(id)?.ruleChanged();
    for (const [rule, lane] of this.lanes) {
      if (rule !== id && lane.isEmpty && this.parts.rules.get(rule) === undefined) this.lanes.delete(rule);
    }
  }

  async forgetRun(run: string): Promise<void> {
    await Promise.all(Array.from(this.lanes.values(), (lane) => lane.forgetRun(run)));
  }

  /** Of a rule's receiver. */
  state(rule: string): ReceiverState {
    return this.lanes.get(rule)?.state ?? { waiting: 0 };
  }

  private lane(rule: string): ReceiverLane {
    let lane = this.lanes.get(rule);
    if (lane === undefined) {
      lane = new ReceiverLane(rule, this.parts);
      this.lanes.set(rule, lane);
    }
    return lane;
  }
}
