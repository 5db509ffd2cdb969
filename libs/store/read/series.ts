import type { Reader } from '../clickhouse-client.js';
import { readFloat } from '../numbers.js';
import type { SeriesPoints, SeriesQuery } from '../store.js';

const defaultMaxPoints = 20_000;

/** Where the points of one series lie. `final` folds rows that were written twice. */
function points(key: string, final: 'FINAL' | ''): string {
  const range = 'run = {run:String} AND name = {name:String} AND step BETWEEN {from:UInt64} AND {to:UInt64}';
  const rank = '({rank:Int64} < 0 OR rank = {rank:Int64})';
  const measured = `SELECT attempt, toUInt32(0) AS rank, step, value, bound, toUnixTimestamp64Milli(time) AS ms,
      toString(source) AS source, toUInt64(0) AS sequence, toUInt32(0) AS place
    FROM readings_raw FINAL WHERE ${range} AND key = {key:String}`;
  // Only measured quantities have keys.
  if (key !== '') return measured;
  return `SELECT attempt, rank, step, value, toFloat64(nan) AS bound, toUnixTimestamp64Milli(time) AS ms, 'log' AS source,
      sequence, place
    FROM scalars_raw ${final} WHERE ${range} AND ${rank}
    UNION ALL ${measured}`;
}

/**
 * Points of one series by step. Over `maxPoints` the steps are cut into buckets of equal width, each of which gives its
 * smallest and largest value and its first value that is not finite: spikes and the first NaN stay, as do both ends.
 */
export async function readSeries(reader: Reader, query: SeriesQuery): Promise<SeriesPoints> {
  const key = query.key ?? '';
  const parameters = {
    run: query.run,
    name: query.name,
    key,
    rank: query.rank ?? -1,
    from: query.fromStep ?? 0,
    to: query.toStep ?? Number.MAX_SAFE_INTEGER,
  };
  const maxPoints = Math.max(8, query.maxPoints ?? defaultMaxPoints);
  const [stats] = await reader.rows(
    `SELECT count(), min(step), max(step), countIf(NOT isFinite(value)), uniqExact(attempt, rank) FROM (${points(key, '')})`,
    parameters,
  );
  const [count, first, last, broken, lines] = (stats ?? [0, 0, 0, 0, 0]).map(Number) as [number, number, number, number, number];
  if (count <= maxPoints) {
    const sql = `SELECT attempt, rank, step, value, bound, ms, source FROM (${points(key, 'FINAL')})
      ORDER BY step, attempt, rank, sequence, place`;
    return toPoints(query, await reader.rows(sql, parameters), false);
  }
  // Two points a bucket, three where something is not finite; four are left for the ends of each line.
  const buckets = Math.max(1, Math.floor((maxPoints / lines - 4) / (broken > 0 ? 3 : 2)));
  const width = Math.ceil((last - first + 1) / buckets);
  const extremes = 'argMinIf(point, value, isFinite(value)), argMaxIf(point, value, isFinite(value))';
  const kept =
    broken === 0
      ? `[${extremes}]`
      : `arrayConcat(if(countIf(isFinite(value)) > 0, [${extremes}], []),
          if(countIf(NOT isFinite(value)) > 0, [argMinIf(point, step, NOT isFinite(value))], []))`;
  // Extremes of rows written twice are the same extremes, so FINAL would only cost time here.
  const sql = `WITH tuple(step, value, bound, ms, source) AS point
    SELECT attempt, rank, kept.1, kept.2, kept.3, kept.4, kept.5 FROM (
      SELECT attempt, rank, arrayDistinct(${kept}) AS points,
        multiIf(step = {first:UInt64}, -1, step = {last:UInt64}, -2, intDiv(step - {first:UInt64}, {width:UInt64})) AS bucket
      FROM (${points(key, '')}) GROUP BY attempt, rank, bucket
    ) ARRAY JOIN points AS kept ORDER BY kept.1, attempt, rank`;
  return toPoints(query, await reader.rows(sql, { ...parameters, first, last, width }), true);
}

function toPoints(query: SeriesQuery, rows: readonly (readonly unknown[])[], thinned: boolean): SeriesPoints {
  return {
    name: query.name,
    key: query.key ?? '',
    source: (rows[0]?.[6] ?? 'log') as SeriesPoints['source'],
    attempts: rows.map((row) => Number(row[0])),
    ranks: rows.map((row) => Number(row[1])),
    steps: rows.map((row) => Number(row[2])),
    values: rows.map((row) => readFloat(row[3])),
    bounds: rows.map((row) => readFloat(row[4])),
    timesMs: rows.map((row) => Number(row[5])),
    thinned,
  };
}
