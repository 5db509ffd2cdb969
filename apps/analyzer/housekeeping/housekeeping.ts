import type { KeyValue } from '#bus/bus.js';
import { PeriodicTask } from '#runtime/periodic.js';
import { deleteRun, type DeletionParts } from './delete-run.js';

/** Somebody waits for an order to be carried out; finished runs may wait. */
const ordersEveryMs = 250;
const retentionEveryMs = 600_000;
const dayMs = 24 * 60 * 60 * 1000;

export interface HousekeepingParts extends DeletionParts {
  readonly keepDays: number;
}

/**
 * Carries out the deletions that others order: a key in the bucket `deletions` is a run, and vanishes when it is gone.
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
    for await (const { key } of this.orders.entries()) {
      if (signal?.aborted === true) return;
      await deleteRun(this.parts, key);
      await this.orders.delete(key);
    }
  }

  async orderOld(nowMs = Date.now()): Promise<void> {
    const runs = await this.parts.store.runsSeenBefore(nowMs - this.parts.keepDays * dayMs);
    for (const run of runs) await this.orders.put(run, new Uint8Array());
  }
}
