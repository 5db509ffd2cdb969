import type { Reader } from '../clickhouse-client.js';
import type { InstrumentRow } from '../rows.js';

export async function readInstruments(reader: Reader, run: string, attempt: number): Promise<readonly InstrumentRow[]> {
  const rows = await reader.rows(
    `SELECT run, attempt, instrument, enabled, reason, version FROM instruments
     WHERE run = {run:String} AND attempt = {attempt:UInt32} ORDER BY instrument`,
    { run, attempt },
  );
  return rows.map((row) => ({
    run: String(row[0]),
    attempt: Number(row[1]),
    instrument: String(row[2]),
    on: row[3] === true,
    reason: String(row[4]),
    version: Number(row[5]),
  }));
}
