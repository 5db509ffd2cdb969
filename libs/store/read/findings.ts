import type { Reader } from '../clickhouse-client.js';
import type { FindingRow } from '../rows.js';

/** By step, then by time; the identity settles the rest, so that the order never changes between two readings. */
export async function readFindings(reader: Reader, run: string): Promise<readonly FindingRow[]> {
  const rows = await reader.rows(
    `SELECT run, id, attempt, step, onset, kind, from_label, to_label, detail, provisional, severity, evidence, text,
       toUnixTimestamp64Milli(time)
     FROM findings WHERE run = {run:String} ORDER BY attempt, step, time, id`,
    { run },
  );
  return rows.map((row) => ({
    run: String(row[0]),
    id: String(row[1]),
    attempt: Number(row[2]),
    step: Number(row[3]),
    onset: Number(row[4]),
    kind: String(row[5]),
    from: String(row[6]),
    to: String(row[7]),
    detail: String(row[8]),
    provisional: row[9] === true,
    severity: String(row[10]) as FindingRow['severity'],
    evidence: String(row[11]),
    text: String(row[12]),
    timeMs: Number(row[13]),
  }));
}
