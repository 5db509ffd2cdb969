import { sleep } from '#runtime/retry.js';
import type { Bus, KeyValue } from './bus.js';

const lookEveryMs = 20;
const nothing = new Uint8Array();

/**
 * Parts of the service that keep something of runs which only they can find and let go of: each says so while it works,
 * and a deletion waits until all of them have forgotten the run.
 */
export class RunKeepers {
  private readonly names: KeyValue;
  /** Keys `<run>.<keeper>`: the keeper has not forgotten the run yet. */
  private readonly awaited: KeyValue;

  constructor(bus: Bus) {
    this.names = bus.kv('run-keepers');
    this.awaited = bus.kv('run-keepers-awaited');
  }

  async join(keeper: string): Promise<void> {
    await this.names.put(keeper, nothing);
  }

  async leave(keeper: string): Promise<void> {
    await this.names.delete(keeper);
  }

  /** Before the word goes out that the runs are gone. */
  async expect(runs: readonly string[]): Promise<void> {
    const keepers: string[] = [];
    for await (const { key } of this.names.entries()) keepers.push(key);
    await Promise.all(runs.flatMap((run) => keepers.map((keeper) => this.awaited.put(`${run}.${keeper}`, nothing))));
  }

  async forgot(keeper: string, run: string): Promise<void> {
    await this.awaited.delete(`${run}.${keeper}`);
  }

  /** Answers who has not forgotten some of the runs in time: killed, it may have left its name behind. */
  async untilForgotten(runs: readonly string[], patienceMs: number): Promise<readonly string[]> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const late = await this.late(runs);
      if (late.length === 0) return [];
      if (Date.now() > deadline) {
        await Promise.all(late.map((key) => this.awaited.delete(key)));
        return [...new Set(late.map((key) => key.slice(key.indexOf('.') + 1)))];
      }
      await sleep(lookEveryMs);
    }
  }

  private async late(runs: readonly string[]): Promise<readonly string[]> {
    const keys: string[] = [];
    for (const run of runs) for await (const { key } of this.awaited.entries(`${run}.`)) keys.push(key);
    return keys;
  }
}
