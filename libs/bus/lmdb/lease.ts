import { LeaseLost, type Lease, type Message } from '../bus.js';
import type { LmdbGroup } from './group.js';
import type { Batch } from './writer.js';

/** One subject in one worker's hands until `release`, or until it has not been heard of for `leaseMs`. */
export class LmdbLease implements Lease {
  readonly subject: string;
  private readonly last: number;
  private expiresMs = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly group: LmdbGroup,
    readonly subjectNumber: number,
    readonly messages: readonly Message[],
    readonly deliveries: number,
    readonly state: Uint8Array | undefined,
  ) {
    this.subject = messages[0]!.subject;
    this.last = messages.at(-1)!.position;
    this.prolong();
  }

  /** A commit is a sign of life: the lease runs anew from there. */
  commit(position: number, state?: Uint8Array): Promise<void> {
    return this.finish(position, state, () => undefined);
  }

  async extend(): Promise<void> {
    this.assertHeld();
    this.prolong();
    return Promise.resolve();
  }

  release(delayMs = 0): Promise<void> {
    this.stop();
    if (this.group.holds(this)) this.group.giveBack(this.subjectNumber, delayMs);
    return Promise.resolve();
  }

  reject(position: number, reason: string, state?: Uint8Array): Promise<void> {
    const message = this.messages.find((candidate) => candidate.position === position);
    if (message === undefined) return Promise.reject(new RangeError(`position ${position} is not in this lease`));
    return this.finish(position, state, (batch) => this.group.setAside(this.subjectNumber, message, reason, batch));
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async finish(position: number, state: Uint8Array | undefined, also: (batch: Batch) => void): Promise<void> {
    if (position > this.last) throw new RangeError(`position ${position} lies after this lease's last message ${this.last}`);
    const group = this.group;
    await group.parts.writer.write((batch) => {
      this.assertHeld();
      if (group.letters.retrying.has(this.subjectNumber)) group.letters.finished(this.subjectNumber, position, batch);
      also(batch);
      const from = group.position(this.subjectNumber);
      const finished = this.messages.filter((message) => message.position > from && message.position <= position).length;
      group.advance(this.subjectNumber, position, finished, state, batch);
    });
    if (group.holds(this)) this.prolong();
  }

  private assertHeld(): void {
    if (!this.group.holds(this) || performance.now() >= this.expiresMs) {
      throw new LeaseLost(`the lease of ${this.subject} is lost`);
    }
  }

  private prolong(): void {
    this.expiresMs = performance.now() + this.group.options.leaseMs;
    this.timer ??= this.arm(this.group.options.leaseMs);
  }

  private arm(delayMs: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.timer = undefined;
      if (!this.group.holds(this)) return;
      const restMs = this.expiresMs - performance.now();
      if (restMs > 0) this.timer = this.arm(restMs);
      else this.group.giveBack(this.subjectNumber);
    }, Math.ceil(delayMs));
    return timer.unref();
  }
}
