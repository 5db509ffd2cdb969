import { StagewatchError } from '#runtime/errors.js';

interface Inside {
  count: number;
  closed: boolean;
  emptied: () => void;
}

/**
 * Who works for which run right now. A run that is being forgotten lets nobody in, and its forgetting waits until the
 * last one is out: what a stream, an upload or a description still writes would otherwise come back after the deletion.
 */
export class RunGuard {
  private readonly runs = new Map<string, Inside>();

  /** Answers how to leave. Refuses a run that is being forgotten. */
  enter(run: string): () => void {
    let inside = this.runs.get(run);
    if (inside === undefined) this.runs.set(run, (inside = { count: 0, closed: false, emptied: () => undefined }));
    if (inside.closed) throw deletedRun(run);
    inside.count++;
    const entered = inside;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      if (--entered.count > 0) return;
      if (entered.closed) entered.emptied();
      else this.runs.delete(run);
    };
  }

  /** From now on nobody gets in, until `open`; resolves when the last one is out. */
  close(run: string): Promise<void> {
    const inside: Inside = this.runs.get(run) ?? { count: 0, closed: true, emptied: () => undefined };
    this.runs.set(run, inside);
    inside.closed = true;
    if (inside.count === 0) return Promise.resolve();
    return new Promise((resolve) => (inside.emptied = resolve));
  }

  /** The registry does not know the run any more: that is enough. */
  open(run: string): void {
    this.runs.delete(run);
  }
}

export function deletedRun(run: string): StagewatchError {
  return new StagewatchError('UNKNOWN_RUN', 'the run was deleted', { field: 'run_id', value: run });
}
