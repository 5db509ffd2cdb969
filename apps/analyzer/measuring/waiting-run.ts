import type { RunMemory } from '../judge/memory.js';
import type { OutstandingSnapshot } from '../judge/outstanding.js';

/** A run with outstanding snapshots, as the measuring part sees it. */
export class WaitingRun {
  /** The newest that the judge has made of the log. */
  memory: RunMemory;
  /** What is being measured now. */
  work:
    | {
        readonly snapshot: OutstandingSnapshot;
        readonly beganMs: number;
        readonly controller: AbortController;
        readonly done: Promise<void>;
      }
    | undefined;
  /** Ends what is told to the log beside the measurement. */
  readonly leaving = new AbortController();
  /** Told to the log; the judge has not come to it yet. */
  private readonly told = new Set<number>();
  /** Errors of ours, one after the other, at the same snapshot. */
  failures = 0;
  /** After an error nothing is begun for a while. */
  isResting = false;

  constructor(
    readonly run: string,
    memory: RunMemory,
  ) {
    this.memory = memory;
  }

  take(memory: RunMemory): void {
    this.memory = memory;
    const positions = new Set(memory.outstanding.snapshots.map(({ position }) => position));
    for (const position of this.told) if (!positions.has(position)) this.told.delete(position);
    // Another attempt has begun: nobody waits for it.
    if (this.work !== undefined && !positions.has(this.work.snapshot.position)) this.work.controller.abort();
  }

  tell(snapshots: readonly OutstandingSnapshot[]): void {
    for (const { position } of snapshots) this.told.add(position);
  }

  /** It could not be told. */
  untell(snapshots: readonly OutstandingSnapshot[]): void {
    for (const { position } of snapshots) this.told.delete(position);
  }

  abort(): void {
    this.leaving.abort();
    this.work?.controller.abort();
  }

  /** What waits for its turn, oldest first. */
  get waiting(): readonly OutstandingSnapshot[] {
    const under = this.work?.snapshot.position;
    return this.memory.outstanding.snapshots.filter(({ position }) => position !== under && !this.told.has(position));
  }

  /**
   * The snapshot that may be measured now. Each measurement begins where the one before ended, as the judge knows it, so
   * none begins before the judge has come to what was told last.
   */
  get ready(): OutstandingSnapshot | undefined {
    if (this.work !== undefined || this.told.size > 0 || this.isResting) return undefined;
    return this.memory.outstanding.snapshots[0];
  }

  bytesOf({ layout }: OutstandingSnapshot): number {
    return (this.memory.outstanding.layouts[layout] ?? []).reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
