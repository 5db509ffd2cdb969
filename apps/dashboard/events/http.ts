import type { FindingBody, InstrumentBody, RunBody } from '#bus/messages.js';
import type { JsonNumber } from '#math/json-number.js';

export type { FindingBody, InstrumentBody, RunBody } from '#bus/messages.js';
export type { JsonNumber } from '#math/json-number.js';

/**
 * Every history answer carries the cursor that was taken before the query: it holds everything up to there, and
 * whoever subscribes from there misses nothing.
 */
interface AtCursor {
  readonly cursor: number;
}

/** `GET /api/runs?project=&limit=&after=` */
export interface RunsAnswer extends AtCursor {
  readonly runs: readonly RunBody[];
  /** `after` of the next page; left out when this is the last. */
  readonly next?: string;
}

/** `GET /api/runs/:run` */
export interface RunAnswer extends AtCursor {
  readonly run: RunBody;
}

/** `GET /api/runs/:run/findings` */
export interface FindingsAnswer extends AtCursor {
  readonly findings: readonly FindingBody[];
}

/** `GET /api/runs/:run/instruments` */
export interface InstrumentsAnswer extends AtCursor {
  readonly attempt: number;
  readonly instruments: readonly InstrumentBody[];
}

export type SeriesSource = 'log' | 'analyzer' | 'probe';

export interface SeriesNameBody {
  readonly name: string;
  readonly key: string;
  readonly source: SeriesSource;
  readonly points: number;
}

/** `GET /api/runs/:run/series-names` */
export interface SeriesNamesAnswer extends AtCursor {
  readonly names: readonly SeriesNameBody[];
}

/** `GET /api/runs/:run/series?name=&key=&from=&to=&max=`: columns of equal length, steps ascending. */
export interface SeriesAnswer extends AtCursor {
  readonly name: string;
  readonly key: string;
  readonly source: SeriesSource;
  readonly attempts: readonly number[];
  readonly ranks: readonly number[];
  readonly steps: readonly number[];
  readonly values: readonly JsonNumber[];
  /** Left out when no point has one. */
  readonly bounds?: readonly JsonNumber[];
  /** True when points were left out: ask again for a shorter range. */
  readonly thinned: boolean;
}

/** `GET /readyz`, 200 or 503. */
export interface ReadyAnswer {
  readonly ready: boolean;
  readonly checks: readonly { readonly name: string; readonly ready: boolean; readonly reason?: string }[];
}

/** Whether a browser asks on behalf of a session, which it may then end. */
export interface SessionAnswer {
  readonly session: boolean;
}
