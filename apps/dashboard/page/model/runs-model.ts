import type { RunBody } from '#dashboard/events/http.js';
import type { Frame } from '#dashboard/events/live.js';

/** The rows of the list of runs, newest first. */
export class RunsModel {
  private readonly rows = new Map<string, RunBody>();
  private readonly live = new Set<string>();
  private readonly gone = new Set<string>();
  onChange: () => void = () => undefined;
  /** Where the next page begins; undefined when all are here. */
  next: string | undefined;

  get runs(): readonly RunBody[] {
    return [...this.rows.values()].sort((a, b) => b.createdMs - a.createdMs || (a.run < b.run ? 1 : -1));
  }

  apply(frame: Frame): void {
    for (const run of frame.runs ?? []) {
      this.rows.set(run.run, run);
      this.live.add(run.run);
    }
    for (const run of frame.deleted ?? []) {
      this.rows.delete(run);
      this.gone.add(run);
    }
    this.onChange();
  }

  /** What the live stream said is at least as new. */
  merge(runs: readonly RunBody[], next?: string): void {
    this.next = next;
    for (const run of runs) if (!this.live.has(run.run) && !this.gone.has(run.run)) this.rows.set(run.run, run);
    this.onChange();
  }
}
