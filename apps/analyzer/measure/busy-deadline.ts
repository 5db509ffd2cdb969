import { readdirSync, readFileSync } from 'node:fs';

/** Nanoseconds that each thread of a process has waited for a core since it began; none where the system does not tell. */
function waited(pid: number): ReadonlyMap<string, number> {
  try {
    const folder = `/proc/${pid}/task`;
    return new Map(
      readdirSync(folder).map((thread) => [
        thread,
        Number(readFileSync(`${folder}/${thread}/schedstat`, 'latin1').split(' ')[1] ?? 0),
      ]),
    );
  } catch {
    return new Map();
  }
}

/**
 * A time limit of a process with a low priority: what its threads wait for a core, because others want all of them, does not
 * count. An endless loop and a lock that is never opened both come to their end; a measurement beside a busy training does not.
 */
export class BusyDeadline {
  private readonly startMs = performance.now();
  private readonly waitedBefore: ReadonlyMap<string, number>;
  private timer: NodeJS.Timeout;

  constructor(
    private readonly pid: number,
    private readonly deadlineMs: number,
    private readonly passed: () => void,
  ) {
    this.waitedBefore = waited(pid);
    this.timer = setTimeout(() => this.look(), deadlineMs);
  }

  clear(): void {
    clearTimeout(this.timer);
  }

  private look(): void {
    const leftMs = this.deadlineMs - (performance.now() - this.startMs - this.waitedMs());
    if (leftMs <= 0) this.passed();
    else this.timer = setTimeout(() => this.look(), Math.max(leftMs, 10));
  }

  /** Of the thread that waited longest: the others waited for it. */
  private waitedMs(): number {
    let longest = 0;
    for (const [thread, now] of waited(this.pid)) longest = Math.max(longest, now - (this.waitedBefore.get(thread) ?? 0));
    return longest / 1e6;
  }
}
