import { Reader, type ClickHouseClient } from '../clickhouse-client.js';
import { emptyLedger, type LedgerFile } from './ledger.js';
import { describeDamage, findDamage } from './parts.js';
import { activeParts, detachedParts } from './store-health.js';

export interface StoreReport {
  /** Rows that are served, those that were written twice counted twice. */
  readonly rows: number;
  readonly parts: number;
  /** One sentence for each. */
  readonly damage: readonly string[];
}

/** Reads every byte of every table and compares it with its checksum; changes nothing. */
export async function inspect(client: ClickHouseClient, file: LedgerFile): Promise<StoreReport> {
  const reader = new Reader(client);
  const before = file.read() ?? emptyLedger;
  const parts = await activeParts(reader);
  const found = findDamage(before.erasing ? [] : before.parts, parts, await detachedParts(reader));
  const known = new Set(found.map(({ table, part }) => `${table}/${part}`));
  const all = [...found, ...before.damage.filter(({ table, part }) => !known.has(`${table}/${part}`))];
  // As they are found: some are filled by views, and no writer names them.
  const tables = [...new Set(parts.map(({ table }) => table))];
  const unread = await Promise.all(tables.map((table) => unreadableParts(reader, table)));
  return {
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
    parts: parts.length,
    damage: [
      ...all
        .filter(({ table, part }) => !before.accepted.includes(`${table}/${part}`))
        .map((damage) => describeDamage({ ...damage, rows: damage.rows })),
      ...unread.flat(),
    ],
  };
}

async function unreadableParts(reader: Reader, table: string): Promise<readonly string[]> {
  try {
    const rows = await reader.rows(`CHECK TABLE ${table} SETTINGS check_query_single_value_result = 0`);
    return rows
      .filter((row) => Number(row[1]) !== 1 && row[1] !== true)
      .map((row) => `table ${table}: part ${String(row[0])} does not match its checksums: ${String(row[2])}`);
  } catch (error) {
    return [`table ${table} cannot be checked: ${error instanceof Error ? error.message : String(error)}`];
  }
}
