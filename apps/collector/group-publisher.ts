import type { Bus, OutgoingMessage, PublishResult } from '#bus/bus.js';

/** Work of one stream that becomes durable together. */
export interface Submission {
  readonly messages: readonly OutgoingMessage[];
  /** Runs once the messages are durable, before the promise resolves; says what else must be saved, once a group. */
  readonly onDurable: (results: readonly PublishResult[]) => readonly Saving[];
}

/** Something to save after a group; the same key is saved once, by the newest. */
export interface Saving {
  readonly key: string;
  readonly save: () => Promise<void>;
}

interface Waiting extends Submission {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Commits what many streams have at hand in one go: while one group is on its way to the disk, the next one gathers.
 * A stream's submissions keep their order. How much can wait here is bounded by the credit of the streams.
 */
export class GroupPublisher {
  private waiting: Waiting[] = [];
  private running: Promise<void> | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly stream: string,
    private readonly groupBytes = 8 * 1024 * 1024,
  ) {}

  /** Resolves when all of it is durable; rejects when nothing of it may be counted on. */
  submit(submission: Submission): Promise<void> {
    return new Promise((resolve, reject) => {
      let bytes = 0;
      for (const { body } of submission.messages) bytes += body.length;
      this.waiting.push({ ...submission, bytes, resolve, reject });
      this.running ??= this.run().finally(() => (this.running = undefined));
    });
  }

  /** Waits until nothing is on its way. */
  async close(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  private async run(): Promise<void> {
    // One turn of the event loop: streams that have read at the same time share the first group too.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const group = this.next();
      try {
        const results = await this.bus.publish(
          this.stream,
          group.flatMap(({ messages }) => messages),
        );
        const savings = new Map<string, Saving>();
        let at = 0;
        for (const { messages, onDurable } of group) {
          for (const saving of onDurable(results.slice(at, (at += messages.length)))) savings.set(saving.key, saving);
        }
        await Promise.all([...savings.values()].map(({ save }) => save()));
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
  }

  private next(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { bytes: more } of this.waiting) {
      if (count > 0 && bytes + more > this.groupBytes) break;
      bytes += more;
      count++;
    }
    const group = this.waiting.slice(0, count);
    this.waiting = this.waiting.slice(count);
    return group;
  }
}
