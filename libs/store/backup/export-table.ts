import type { Reader } from '../clickhouse-client.js';
import type { TableName } from '../rows.js';
import { tableFormats } from '../table-rows.js';

/** Rows that are held at a time; the page's own queries come in between. */
const pageRows = 50_000;

/** The sorting key of each table, with the types of its columns. */
const keys = {
  runs: { run: 'String' },
  scalars: {
    run: 'String',
    name: 'String',
    attempt: 'UInt32',
    step: 'UInt64',
    rank: 'UInt32',
    sequence: 'UInt64',
    place: 'UInt32',
  },
  readings: { run: 'String', name: 'String', key: 'String', attempt: 'UInt32', step: 'UInt64' },
  findings: { run: 'String', id: 'String' },
  instruments: { run: 'String', attempt: 'UInt32', instrument: 'String' },
} as const satisfies Record<TableName, Readonly<Record<string, string>>>;

/**
 * All rows of a table in the order of its key, a page at a time, each row a line of JSONCompactEachRow. A page begins behind
 * the last key of the one before: what is merged, written or deleted meanwhile moves nothing across that line.
 */
export async function* exportTable(
  reader: Reader,
  table: TableName,
): AsyncGenerator<{ readonly rows: number; readonly lines: string }> {
  const { into, columns } = tableFormats[table];
  const types: Readonly<Record<string, string>> = keys[table];
  const key = Object.keys(types);
  const places = key.map((column) => columns.indexOf(column));
  const bound = `tuple(${key.map((column) => `{${column}:${types[column]}}`).join(', ')})`;
  const list = columns.map((column) => `\`${column}\``).join(', ');
  let last: readonly unknown[] | undefined;
  do {
    const where = last === undefined ? '' : `WHERE run >= {run:String} AND tuple(${key.join(', ')}) > ${bound}`;
    const parameters = Object.fromEntries(key.map((column, i) => [column, last?.[places[i]!]]));
    const rows = await reader.rows(
      `SELECT ${list} FROM ${into} FINAL ${where} ORDER BY ${key.join(', ')} LIMIT ${pageRows}`,
      last === undefined ? {} : parameters,
    );
    if (rows.length > 0) yield { rows: rows.length, lines: rows.map((row) => `${JSON.stringify(row)}\n`).join('') };
    last = rows.length < pageRows ? undefined : rows.at(-1);
  } while (last !== undefined);
}
