import type { Logger } from './logging.js';
import { sleep } from './retry.js';

/** Runs one task again and again, never twice at a time; an error is logged and the next turn comes all the same. */
export class PeriodicTask {
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(
    private readonly options: { readonly name: string; readonly intervalMs: number; readonly logger: Logger },
    private readonly task: (signal: AbortSignal) => Promise<void>,
  ) {}

  start(): void {
    this.loop ??= this.run();
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.loop;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.task(signal);
      } catch (error) {
        this.options.logger.error({ err: error, task: this.options.name }, 'periodic task failed');
      }
      await sleep(this.options.intervalMs, signal);
    }
  }
}
