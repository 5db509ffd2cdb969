import { RunModel } from '../model/run-model.js';
import { ApiError, type Api } from './api.js';
import { Lane, patiently } from './patience.js';
import { Subscription, type LiveSocket, type LiveState } from './subscription.js';

/** Points of one series that the first look asks for; zooming in asks for the rest. */
const overviewPoints = 6000;
const detailPoints = 6000;
const parallelRequests = 4;

export interface RunWatchHandlers {
  /** A model that holds the history; the one before it is to be thrown away. */
  model(model: RunModel): void;
  state(state: LiveState, reason?: string): void;
  /** The run is not there. */
  missing(message: string): void;
}

/** Watches one run: the history, then deltas; after a lost connection from the cursor; anew where that is not possible. */
export class RunWatch {
  private readonly subscription: Subscription;
  private readonly lane = new Lane(parallelRequests);
  private current: RunModel | undefined;
  private shown: RunModel | undefined;
  private loading = new AbortController();

  constructor(
    socket: LiveSocket,
    private readonly api: Api,
    private readonly run: string,
    private readonly handlers: RunWatchHandlers,
  ) {
    this.subscription = new Subscription(socket, run, {
      begin: () => void this.begin(),
      frame: (frame) => this.current?.apply(frame),
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

  /** Keeps a series from now on; resolves when its history is there. */
  async want(name: string, key: string): Promise<void> {
    const model = this.current;
    if (model === undefined || !model.want(name, key)) return;
    await this.load(model, name, key, this.loading.signal);
  }

  /** More points of what is in sight; only for series of which points were left out. */
  async refine(name: string, key: string, from: number, to: number): Promise<void> {
    const model = this.current;
    if (model === undefined) return;
    const request = { name, key, from: Math.max(0, Math.floor(from)), to: Math.ceil(to), max: detailPoints };
    const answer = await this.lane.run(() => patiently(() => this.api.series(this.run, request), this.loading.signal));
    if (answer !== undefined && model === this.current) model.mergeSeries(answer, false);
  }

  private async begin(): Promise<void> {
    this.loading.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    const model = new RunModel();
    for (const id of this.shown?.wanted ?? []) model.want(...(id.split('\0') as [string, string]));
    this.current = model;
    try {
      await this.gather(model, signal);
      if (signal.aborted) return;
      this.shown = model;
      this.handlers.model(model);
    } catch (error) {
      if (signal.aborted) return;
      this.handlers.missing(error instanceof ApiError ? error.message : 'The run could not be read.');
    }
  }

  private async gather(model: RunModel, signal: AbortSignal): Promise<void> {
    const { api, run } = this;
    const ask = <T>(request: () => Promise<T>, use: (answer: T) => void): Promise<void> =>
      this.lane.run(async () => {
        const answer = await patiently(request, signal);
        if (answer !== undefined) use(answer);
      });
    await Promise.all([
      ask(
        () => api.run(run),
        (answer) => model.mergeRun(answer.run),
      ),
      ask(
        () => api.findings(run),
        (answer) => model.mergeFindings(answer.findings),
      ),
      ask(
        () => api.instruments(run),
        (answer) => model.mergeInstruments(answer.attempt, answer.instruments),
      ),
      ask(
        () => api.seriesNames(run),
        (answer) => model.mergeNames(answer.names),
      ),
      ...model.wanted.map((id) => this.load(model, ...(id.split('\0') as [string, string]), signal)),
    ]);
  }

  private async load(model: RunModel, name: string, key: string, signal: AbortSignal): Promise<void> {
    const request = { name, key, max: overviewPoints };
    const answer = await this.lane.run(() => patiently(() => this.api.series(this.run, request), signal));
    if (answer !== undefined) model.mergeSeries(answer, true);
  }
}
