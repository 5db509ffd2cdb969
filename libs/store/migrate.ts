import { createHash } from 'node:crypto';
import { StagewatchError } from '#runtime/errors.js';
import type { Migration, Statement } from './migrations/migration.js';
import { fillTable, forgetCopies, rebuildTable, type CopyProgress } from './rebuild-table.js';

/** The little that migrating needs of a client. */
export interface MigrationClient {
  command(sql: string): Promise<void>;
  rows(sql: string): Promise<readonly (readonly unknown[])[]>;
  insert(table: string, row: Readonly<Record<string, unknown>>): Promise<void>;
}

export interface MigrateOptions {
  readonly progress?: (copied: CopyProgress) => void;
  /** What is applied goes through here, if there is anything to apply. */
  readonly around?: (work: () => Promise<void>) => Promise<void>;
}

const ledger = `CREATE TABLE IF NOT EXISTS migrations (
  number UInt32, name String, checksum String, applied DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY number SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

export function checksum(migration: Migration): string {
  return createHash('sha256').update(migration.statements.map(textOf).join('\n;\n')).digest('hex');
}

function textOf(statement: Statement): string {
  if (typeof statement === 'string') return statement;
  const { kind, ...parts } = statement;
  return [kind, ...Object.values(parts)].join('\n');
}

/**
 * Applies what is missing and answers the numbers applied. Refuses a database whose past differs from this code's. Copying
 * many rows takes minutes and says how far it is.
 */
export async function migrate(
  client: MigrationClient,
  migrations: readonly Migration[],
  { progress = () => undefined, around = (work) => work() }: MigrateOptions = {},
): Promise<readonly number[]> {
  await client.command(ledger);
  const rows = await client.rows('SELECT number, name, checksum FROM migrations FINAL ORDER BY number');
  const known = new Map(migrations.map((m) => [m.number, m]));
  for (const row of rows) {
    const [number, name, sum] = [Number(row[0]), String(row[1]), String(row[2])];
    const migration = known.get(number);
    if (migration === undefined) {
      throw new StagewatchError(
        'UNAVAILABLE',
        `the database is newer than this program: migration ${number} (${name}) is unknown`,
      );
    }
    if (checksum(migration) !== sum) {
      throw new StagewatchError('UNAVAILABLE', `migration ${number} (${name}) was changed after it had been applied`, {
        value: sum,
        expected: checksum(migration),
      });
    }
  }
  const applied = new Set(rows.map((row) => Number(row[0])));
  const missing = migrations.filter((m) => !applied.has(m.number));
  const apply = async (): Promise<void> => {
    for (const migration of missing) {
      for (const statement of migration.statements) await carryOut(client, statement, progress);
      await client.insert('migrations', { number: migration.number, name: migration.name, checksum: checksum(migration) });
      await forgetCopies(client);
    }
  };
  if (missing.length > 0) await around(apply);
  return missing.map((m) => m.number);
}

async function carryOut(client: MigrationClient, statement: Statement, progress: (copied: CopyProgress) => void): Promise<void> {
  if (typeof statement === 'string') await client.command(statement);
  else if (statement.kind === 'rebuild') await rebuildTable(client, statement, progress);
  else await fillTable(client, statement, progress);
}
