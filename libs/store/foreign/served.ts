import { refusal } from './refusal.js';

/** Tables of `system` that clients look at; the rest tells of other people's queries and of the machine. */
export const systemTables: ReadonlySet<string> = new Set(
  (
    'one numbers numbers_mt zeros zeros_mt primes settings merge_tree_settings settings_profiles tables columns databases ' +
    'functions table_functions aggregate_function_combinators formats table_engines data_type_families keywords collations ' +
    'codecs completions documentation build_options licenses contributors time_zones data_skipping_indices parts ' +
    'parts_columns macros dictionaries clusters roles'
  ).split(' '),
);

export interface ServedTables {
  readonly databases: ReadonlySet<string>;
  /** Where an unqualified table lies. */
  readonly database: string;
}

/** Throws unless the table, named with or without its database, is one that readers are served. */
export function checkTable(table: string, { databases, database: current }: ServedTables): void {
  const dot = table.indexOf('.');
  const [database, name] = dot < 0 ? [current, table] : [table.slice(0, dot), table.slice(dot + 1)];
  if (!databases.has(database)) throw refusal('ACCESS_DENIED', `Database '${database.slice(0, 100)}' is not served here`);
  // An unqualified name may also be that of a common table expression.
  if (database === 'system' && !systemTables.has(name) && (dot >= 0 || current === 'system')) {
    throw refusal('ACCESS_DENIED', `Table 'system.${name.slice(0, 100)}' is not served here`);
  }
}
