export interface Polled<T> {
  load(): Promise<T>;
  draw(answer: T): void;
  failed(error: unknown): void;
}

/** Asks again and again, and draws only what differs: drawing anew would take the focus from a button. */
export class Polling<T> {
  private readonly clock: ReturnType<typeof setInterval>;
  private drawn = '';

  constructor(
    private readonly polled: Polled<T>,
    everyMs: number,
  ) {
    this.clock = setInterval(() => void this.refresh(), everyMs);
    void this.refresh();
  }

  async refresh(): Promise<void> {
    try {
      const answer = await this.polled.load();
      const shape = JSON.stringify(answer);
      if (shape === this.drawn) return;
      this.drawn = shape;
      this.polled.draw(answer);
    } catch (error) {
      this.polled.failed(error);
    }
  }

  close(): void {
    clearInterval(this.clock);
  }
}
