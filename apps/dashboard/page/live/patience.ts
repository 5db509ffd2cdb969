import { ApiError } from './api.js';

const firstDelayMs = 400;
const maxDelayMs = 8000;

/** Asks until there is an answer: the service may be restarting. A refusal is an answer and throws. */
export async function patiently<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  for (let delayMs = firstDelayMs; !signal.aborted; delayMs = Math.min(maxDelayMs, delayMs * 2)) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof ApiError && error.code !== '' && error.status < 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
  return undefined;
}

/** At most `limit` tasks at a time, in the order in which they came. */
export class Lane {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.running >= this.limit) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.running++;
    try {
      return await task();
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }
}
