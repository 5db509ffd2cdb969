import type { Reader } from '../clickhouse-client.js';
import type { SeriesName } from '../store.js';

export async function readSeriesNames(reader: Reader, run: string): Promise<readonly SeriesName[]> {
  const rows = await reader.rows(
    `SELECT name, key, source, count() FROM series WHERE run = {run:String} GROUP BY name, key, source ORDER BY name, key, source`,
    { run },
  );
  return rows.map((row) => ({
    name: String(row[0]),
    key: String(row[1]),
    source: String(row[2]) as SeriesName['source'],
    points: Number(row[3]),
  }));
}
