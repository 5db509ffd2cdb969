import type { Migration } from './migration.js';

/*
 * Raw tables hold what was inserted; a row written twice lies there twice until a merge. Their sorting keys are made of
 * immutable columns only, so ReplacingMergeTree folds the copies, and the views of 0002 fold them at reading time.
 * The deduplication window makes a retried batch (same insert_deduplication_token) one batch; without it the token does
 * nothing on tables that are not replicated. Parts are synced before an insert returns: the bus forgets a record
 * after that.
 */
const durable = 'non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1';
const time = "DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))";

export const tables: Migration = {
  number: 1,
  name: 'tables',
  statements: [
    `CREATE TABLE IF NOT EXISTS runs_raw (
      run String, name String, project String, framework LowCardinality(String), attempt UInt32,
      status LowCardinality(String), stage LowCardinality(String), stage_detail LowCardinality(String),
      step UInt64, planned_steps UInt64, created DateTime64(3, 'UTC'), seen DateTime64(3, 'UTC'),
      optimizer String, loss String, batch_size UInt64, tags String, version UInt64
    ) ENGINE = ReplacingMergeTree(version) ORDER BY run SETTINGS ${durable}`,

    // Identity is (run, attempt, rank, sequence, place); name and step follow from it and lead, so that one series of
    // a run is one range of the primary key, in the order in which it is drawn.
    `CREATE TABLE IF NOT EXISTS scalars_raw (
      run LowCardinality(String), name LowCardinality(String), attempt UInt32 CODEC(Delta, ZSTD(1)),
      step UInt64 CODEC(DoubleDelta, ZSTD(1)), rank UInt32 CODEC(ZSTD(1)), sequence UInt64 CODEC(DoubleDelta, ZSTD(1)),
      place UInt32 CODEC(ZSTD(1)), value Float64 CODEC(Gorilla, ZSTD(1)), time ${time}
    ) ENGINE = ReplacingMergeTree ORDER BY (run, name, attempt, step, rank, sequence, place) SETTINGS ${durable}`,

    `CREATE TABLE IF NOT EXISTS readings_raw (
      run LowCardinality(String), name LowCardinality(String), key LowCardinality(String), attempt UInt32,
      step UInt64 CODEC(DoubleDelta, ZSTD(1)), value Float64 CODEC(ZSTD(1)), bound Float64 CODEC(ZSTD(1)),
      products UInt32 CODEC(ZSTD(1)), seconds Float64 CODEC(ZSTD(1)), device LowCardinality(String),
      probe_digest LowCardinality(String), source LowCardinality(String), time ${time}
    ) ENGINE = ReplacingMergeTree ORDER BY (run, name, key, attempt, step) SETTINGS ${durable}`,

    `CREATE TABLE IF NOT EXISTS findings_raw (
      run String, id String, attempt UInt32, step UInt64, onset UInt64, kind LowCardinality(String),
      from_label LowCardinality(String), to_label LowCardinality(String), detail String, provisional Bool,
      severity LowCardinality(String), evidence String, text String, time DateTime64(3, 'UTC')
    ) ENGINE = ReplacingMergeTree ORDER BY (run, id) SETTINGS ${durable}`,

    `CREATE TABLE IF NOT EXISTS instruments_raw (
      run String, attempt UInt32, instrument LowCardinality(String), enabled Bool, reason String, version UInt64
    ) ENGINE = ReplacingMergeTree(version) ORDER BY (run, attempt, instrument) SETTINGS ${durable}`,
  ],
};
