import { RunsModel } from '../model/runs-model.js';
import type { Api } from './api.js';
import { patiently } from './patience.js';
import { Subscription, type LiveSocket, type LiveState } from './subscription.js';

/** Watches the list of runs. */
export class RunsWatch {
  private readonly subscription: Subscription;
  private current = new RunsModel();
  private loading = new AbortController();
  private asking = false;

  constructor(
    socket: LiveSocket,
    private readonly api: Api,
    private readonly handlers: { model(model: RunsModel): void; state(state: LiveState, reason?: string): void },
  ) {
    this.subscription = new Subscription(socket, undefined, {
      begin: () => void this.begin(),
      frame: (frame) => this.current.apply(frame),
      state: (state, reason) => handlers.state(state, reason),
    });
  }

  start(): void {
    this.subscription.start();
  }

  close(): void {
    this.loading.abort();
    this.subscription.close();
  }

  private async begin(): Promise<void> {
    this.loading.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    const model = (this.current = new RunsModel());
    const answer = await patiently(() => this.api.runs(), signal).catch(() => undefined);
    if (answer === undefined || signal.aborted) return;
    model.merge(answer.runs, answer.next);
    this.handlers.model(model);
  }

  /** Older runs, when there are any. */
  async more(): Promise<void> {
    const { current, loading } = this;
    const { next } = current;
    if (next === undefined || this.asking) return;
    this.asking = true;
    try {
      const answer = await patiently(() => this.api.runs(next), loading.signal).catch(() => undefined);
      if (answer !== undefined && !loading.signal.aborted) current.merge(answer.runs, answer.next);
    } finally {
      this.asking = false;
    }
  }
}
