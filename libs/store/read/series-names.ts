import type { Reader } from '../clickhouse-client.js';
import type { SeriesName } from '../store.js';

/** A run may have millions of points: those that were logged are counted as they come in, and not here. */
export async function readSeriesNames(reader: Reader, run: string): Promise<readonly SeriesName[]> {
  const rows = await reader.rows(
    `SELECT name, key, source, points FROM (
     SELECT toString(name) AS name, '' AS key, 'log' AS source, sum(size) AS points FROM (
       SELECT name, groupBitmapMerge(points) AS size FROM scalar_points_raw WHERE run = {run:String}
       GROUP BY name, attempt, rank, block
     ) GROUP BY name
     UNION ALL
     SELECT toString(name) AS name, toString(key) AS key, toString(source) AS source, count() AS points
     FROM readings_raw FINAL WHERE run = {run:String} GROUP BY name, key, source
     ) ORDER BY name, key, source`,
    { run },
  );
  return rows.map((row) => ({
    name: String(row[0]),
    key: String(row[1]),
    source: String(row[2]) as SeriesName['source'],
    points: Number(row[3]),
  }));
}
