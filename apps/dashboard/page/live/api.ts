import type {
  FindingsAnswer,
  InstrumentsAnswer,
  RunAnswer,
  RunsAnswer,
  SeriesAnswer,
  SeriesNamesAnswer,
  SessionAnswer,
} from '#dashboard/events/http.js';

/** A refusal with the stable code of the service; `code` is empty when something else answered. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface SeriesRequest {
  readonly name: string;
  readonly key: string;
  readonly from?: number;
  readonly to?: number;
  readonly max?: number;
}

/** The service's HTTP interface, as far as the page uses it. */
export class Api {
  constructor(private readonly base = '') {}

  /** A page of the list; `after` is the `next` of the one before. */
  runs(after?: string): Promise<RunsAnswer> {
    return this.get(`/api/runs?limit=500${after === undefined ? '' : `&after=${encodeURIComponent(after)}`}`);
  }
  run(run: string): Promise<RunAnswer> {
    return this.get(runPath(run));
  }
  findings(run: string): Promise<FindingsAnswer> {
    return this.get(`${runPath(run)}/findings`);
  }
  instruments(run: string): Promise<InstrumentsAnswer> {
    return this.get(`${runPath(run)}/instruments`);
  }
  seriesNames(run: string): Promise<SeriesNamesAnswer> {
    return this.get(`${runPath(run)}/series-names`);
  }
  series(run: string, request: SeriesRequest): Promise<SeriesAnswer> {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(request)) if (value !== undefined) query.set(key, String(value));
    return this.get(`${runPath(run)}/series?${query.toString()}`);
  }

  /** Whether this browser has a session that it may end. */
  async hasSession(): Promise<boolean> {
    return (await this.get<SessionAnswer>('/api/session')).session;
  }
  logOut(): Promise<unknown> {
    return this.send('/api/session', { method: 'DELETE' });
  }

  get<T>(path: string): Promise<T> {
    return this.send<T>(path, {});
  }

  async send<T>(path: string, init: { method?: string; body?: unknown }): Promise<T> {
    const { method = 'GET', body } = init;
    const response = await fetch(this.base + path, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    const answer = (text === '' ? {} : parse(text)) as { code?: string; message?: string };
    if (response.ok) return answer as T;
    throw new ApiError(response.status, answer.code ?? '', answer.message ?? `HTTP ${response.status}`);
  }
}

function runPath(run: string): string {
  return `/api/runs/${encodeURIComponent(run)}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
