import { notMeasuring, type FindingBody, type InstrumentBody, type MeasuringBody, type RunBody } from '#bus/messages.js';
import { toJsonNumber } from '#math/json-number.js';
import type { FindingRow, InstrumentRow, RunRow } from '#store/rows.js';
import type { SeriesPoints } from '#store/store.js';
import type { SeriesAnswer } from '../events/http.js';

/** Rows of the store in the shape in which the live stream speaks of the same things. */
export function runBody(row: RunRow, measuring: MeasuringBody = notMeasuring): RunBody {
  const { version: _, ...rest } = row;
  return {
    ...rest,
    optimizer: object<RunBody['optimizer']>(row.optimizer, {}),
    loss: { kind: 'unknown', reduction: 'unknown', halved: false, ...object<Partial<RunBody['loss']>>(row.loss, {}) },
    tags: object<RunBody['tags']>(row.tags, {}),
    measuring,
  };
}

export function findingBody(row: FindingRow, run: Pick<RunRow, 'name' | 'project'>): FindingBody {
  const { from, to, detail, evidence, ...rest } = row;
  return {
    ...rest,
    ...(from !== '' && { from }),
    ...(to !== '' && { to }),
    ...(detail !== '' && { detail }),
    evidence: object<FindingBody['evidence']>(evidence, {}),
    runName: run.name,
    project: run.project,
  };
}

export function instrumentBody(row: InstrumentRow): InstrumentBody {
  return { instrument: row.instrument, on: row.on, reason: row.reason };
}

export function seriesBody(cursor: number, points: SeriesPoints): SeriesAnswer {
  const ranks = points.ranks ?? points.steps.map(() => 0);
  return {
    cursor,
    name: points.name,
    key: points.key,
    source: points.source,
    attempts: points.attempts,
    ranks,
    steps: points.steps,
    values: points.values.map(toJsonNumber),
    ...(points.bounds.some((bound) => !Number.isNaN(bound)) && { bounds: points.bounds.map(toJsonNumber) }),
    thinned: points.thinned,
  };
}

function object<T extends object>(json: string, otherwise: T): T {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as T) : otherwise;
  } catch {
    return otherwise;
  }
}
