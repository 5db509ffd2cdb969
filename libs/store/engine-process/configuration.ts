import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { database } from '../database.js';
import { foreignSettings, type EngineOptions } from './options.js';

/**
 * Rights that the engine itself enforces: no source, no engine of tables beyond those in use, no dictionary, no function.
 * Tables of `system` are open to everybody here, whatever is granted; which of them are shown is for the gate.
 */
const grants = [
  `SELECT, INSERT, ALTER TABLE, ALTER VIEW, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE, SHOW, CHECK ON ${database}.*`,
  `CREATE DATABASE ON ${database}.*`,
  'TABLE ENGINE ON ReplacingMergeTree',
  'TABLE ENGINE ON AggregatingMergeTree',
  // So that clients may stand in them; their tables can be read from elsewhere too.
  ...['system', 'information_schema', 'INFORMATION_SCHEMA'].map((name) => `SELECT, SHOW ON ${name}.*`),
  'KILL QUERY ON *.*',
];

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
 * A connection of chDB is always the user `default`, so writers and strangers share these grants. What a stranger may ask
 * for at most is a profile that their connections put on, and what they may not do is `readonly`.
 */
function usersXml(options: EngineOptions): string {
  const constraints = Object.entries(foreignSettings(options.limits)).map(
    ([name, value]) => `<${name}><min>1</min><max>${value}</max></${name}>`,
  );
  return `<clickhouse>
  <profiles>
    <default/>
    <foreign><constraints>${constraints.join('')}</constraints></foreign>
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
