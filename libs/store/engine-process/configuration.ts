import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { database } from '../database.js';
import { foreignBounds, type EngineOptions } from './options.js';

/** Rights that the engine itself enforces: no source, no engine of tables beyond the one in use, no dictionary, no function. */
const grants = [
  `SELECT, INSERT, ALTER TABLE, ALTER VIEW, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE, SHOW, CHECK ON ${database}.*`,
  `CREATE DATABASE ON ${database}.*`,
  'TABLE ENGINE ON ReplacingMergeTree',
  ...words(
    'one numbers numbers_mt zeros zeros_mt primes settings merge_tree_settings settings_profiles tables columns databases functions ' +
      'table_functions aggregate_function_combinators formats table_engines data_type_families keywords collations codecs ' +
      'completions documentation build_options licenses contributors time_zones data_skipping_indices parts parts_columns ' +
      'detached_parts mutations macros dictionaries clusters roles disks',
  ).map((table) => `SELECT ON system.${table}`),
  'SELECT ON information_schema.*',
  'SELECT ON INFORMATION_SCHEMA.*',
  // KILL QUERY reads these to find what it ends.
  'SELECT(query_id, user, query, Settings) ON system.processes',
  'KILL QUERY ON *.*',
];

function words(list: string): readonly string[] {
  return list.split(' ');
}

/** Writes what chDB reads when it is opened; the answer is the path to give it. */
export function writeConfiguration(options: EngineOptions): string {
  const { path, privateFolder, limits } = options;
  mkdirSync(privateFolder, { recursive: true, mode: 0o700 });
  const users = join(privateFolder, 'users.xml');
  const config = join(privateFolder, 'config.xml');
  writeFileSync(users, usersXml(options));
  const nowhere = join(path, 'nowhere/');
  writeFileSync(
    config,
    `<clickhouse>
  <users_config>${escape(users)}</users_config>
  <user_directories><users_xml><path>${escape(users)}</path></users_xml></user_directories>
  <max_server_memory_usage>${limits.memoryBytes}</max_server_memory_usage>
  <max_temporary_data_on_disk_size>${limits.temporaryDiskBytes}</max_temporary_data_on_disk_size>
  <mark_cache_size>${Math.round(limits.memoryBytes / 16)}</mark_cache_size>
  <tmp_path>${escape(join(path, 'tmp/'))}</tmp_path>
  <user_files_path>${escape(nowhere)}</user_files_path>
  <user_scripts_path>${escape(nowhere)}</user_scripts_path>
  <format_schema_path>${escape(nowhere)}</format_schema_path>
</clickhouse>
`,
  );
  return config;
}

/**
 * A connection of chDB is always the user `default`, so writers and strangers share these grants. What a stranger may take
 * is a profile that their connections put on, and what they may not do is `readonly`.
 */
function usersXml(options: EngineOptions): string {
  const foreign = foreignBounds(options.limits);
  const bounded = Object.entries({
    max_memory_usage: foreign.memoryBytes,
    max_temporary_data_on_disk_size_for_query: foreign.temporaryDiskBytes,
    max_threads: foreign.threads,
    max_execution_time: foreign.seconds,
  });
  return `<clickhouse>
  <profiles>
    <default/>
    <foreign>
      ${bounded.map(([name, value]) => `<${name}>${value}</${name}>`).join('')}
      <constraints>${bounded.map(([name, value]) => `<${name}><min>1</min><max>${value}</max></${name}>`).join('')}</constraints>
    </foreign>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/><networks><ip>::1</ip><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
      <grants>${grants.map((grant) => `<query>GRANT ${grant}</query>`).join('')}</grants>
    </default>
  </users>
</clickhouse>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
