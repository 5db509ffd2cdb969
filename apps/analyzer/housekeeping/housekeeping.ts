import type { KeyValue } from '#bus/bus.js';
import { PeriodicTask } from '#runtime/periodic.js';
import { deleteRuns, type DeletionParts } from './delete-runs.js';

/** Somebody waits for an order to be carried out; finished runs may wait. */
const ordersEveryMs = 250;
const retentionEveryMs = 600_000;
/** Orders that are carried out together; the others wait for the next turn. */
const maxTogether = 500;
const dayMs = 24 * 60 * 60 * 1000;

export interface HousekeepingParts extends DeletionParts {
  readonly keepDays: number;
}

/**
 * Carries out the deletions that others order: a key in the bucket `deletions` is a run, and vanishes when it is gone.
 * Orders that wait are carried out together: what costs most costs the same for one run and for hundreds.
 * Runs that ended `keepDays` ago are deleted the same way.
 */
export class Housekeeping {
  private readonly orders: KeyValue;
  private readonly tasks: readonly PeriodicTask[];

  constructor(private readonly parts: HousekeepingParts) {
    const { bus, logger, keepDays } = parts;
    this.orders = bus.kv('deletions');
    const carryOut = new PeriodicTask({ name: 'deletions', intervalMs: ordersEveryMs, logger }, (signal) =>
      this.carryOut(signal),
    );
    const retire = new PeriodicTask({ name: 'retention', intervalMs: retentionEveryMs, logger }, () => this.orderOld());
    this.tasks = keepDays > 0 ? [carryOut, retire] : [carryOut];
  }

  start(): void {
    for (const task of this.tasks) task.start();
  }

  async close(): Promise<void> {
    await Promise.all(this.tasks.map((task) => task.close()));
  }

  async carryOut(signal?: AbortSignal): Promise<void> {
    while (signal?.aborted !== true) {
      const runs = await this.nextOrders();
      if (runs.length === 0) return;
      await deleteRuns(this.parts, runs);
      await Promise.all(runs.map((run) => this.orders.delete(run)));
    }
  }

  private async nextOrders(): Promise<readonly string[]> {
    const runs: string[] = [];
    for await (const { key } of this.orders.entries()) if (runs.push(key) >= maxTogether) break;
    return runs;
  }

  async orderOld(nowMs = Date.now()): Promise<void> {
    const runs = await this.parts.store.runsSeenBefore(nowMs - this.parts.keepDays * dayMs);
    await Promise.all(runs.map((run) => this.orders.put(run, new Uint8Array())));
  }
}
