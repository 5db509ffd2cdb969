import type { Migration } from './migration.js';

/*
 * Rows lie together by when their run began: a window of 2^27 ms, 37 hours, read from the run's id, whose first ten
 * characters are its birth in milliseconds to the base 32. Removing runs writes the parts of their windows anew and no
 * others, and what belongs to old runs lies in parts of its own, which go whole. All rows of a run, and so all copies of a row, are in one
 * window. Few runs live for many windows, so an insert rarely makes more than a few parts.
 */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const window = `(substring(run, 1, 5), intDiv(position('${alphabet}', substring(run, 6, 1)) - 1, 4))`;
const durable = 'non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1';
const time = "time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))";
const run = 'run String CODEC(ZSTD(1))';
// Within a series time grows with the step, so that a range of times is a range of granules.
const times = 'INDEX time_range time TYPE minmax GRANULARITY 1';

/** Which points a run has logged: a set, so that a row written twice is counted once. */
const points = `run, name, attempt, rank, intDiv(place, 16) AS block, groupBitmapState(sequence * 16 + place % 16) AS points`;
const pointsBy = 'GROUP BY run, name, attempt, rank, block';

export const windows: Migration = {
  number: 3,
  name: 'windows',
  statements: [
    {
      kind: 'rebuild',
      table: 'scalars_raw',
      shape: `(
        ${run}, name LowCardinality(String), attempt UInt32 CODEC(Delta, ZSTD(1)),
        step UInt64 CODEC(DoubleDelta, ZSTD(1)), rank UInt32 CODEC(ZSTD(1)), sequence UInt64 CODEC(DoubleDelta, ZSTD(1)),
        place UInt32 CODEC(ZSTD(1)), value Float64 CODEC(Gorilla, ZSTD(1)), ${time}, ${times}
      ) ENGINE = ReplacingMergeTree PARTITION BY ${window}
      ORDER BY (run, name, attempt, step, rank, sequence, place) SETTINGS ${durable}`,
    },
    {
      kind: 'rebuild',
      table: 'readings_raw',
      shape: `(
        ${run}, name LowCardinality(String), key LowCardinality(String), attempt UInt32,
        step UInt64 CODEC(DoubleDelta, ZSTD(1)), value Float64 CODEC(ZSTD(1)), bound Float64 CODEC(ZSTD(1)),
        products UInt32 CODEC(ZSTD(1)), seconds Float64 CODEC(ZSTD(1)), device LowCardinality(String),
        probe_digest String CODEC(ZSTD(1)), source LowCardinality(String), ${time}, ${times}
      ) ENGINE = ReplacingMergeTree PARTITION BY ${window} ORDER BY (run, name, key, attempt, step) SETTINGS ${durable}`,
    },
    {
      kind: 'rebuild',
      table: 'findings_raw',
      shape: `(
        ${run}, id String, attempt UInt32, step UInt64, onset UInt64, kind LowCardinality(String),
        from_label LowCardinality(String), to_label LowCardinality(String), detail String, provisional Bool,
        severity LowCardinality(String), evidence String, text String, time DateTime64(3, 'UTC')
      ) ENGINE = ReplacingMergeTree PARTITION BY ${window} ORDER BY (run, id) SETTINGS ${durable}`,
    },
    {
      kind: 'rebuild',
      table: 'instruments_raw',
      shape: `(
        ${run}, attempt UInt32, instrument LowCardinality(String), enabled Bool, reason String, version UInt64
      ) ENGINE = ReplacingMergeTree(version) PARTITION BY ${window} ORDER BY (run, attempt, instrument) SETTINGS ${durable}`,
    },

    `CREATE TABLE IF NOT EXISTS scalar_points_raw (
      ${run}, name LowCardinality(String), attempt UInt32, rank UInt32, block UInt64,
      points AggregateFunction(groupBitmap, UInt64)
    ) ENGINE = AggregatingMergeTree PARTITION BY ${window} ORDER BY (run, name, attempt, rank, block)
    SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
    { kind: 'fill', into: 'scalar_points_raw', from: 'scalars_raw', select: points, groupBy: pointsBy },
    `CREATE MATERIALIZED VIEW IF NOT EXISTS scalar_points_feed TO scalar_points_raw AS
      SELECT ${points} FROM scalars_raw ${pointsBy}`,

    // A view keeps the column types that it was made with.
    'CREATE OR REPLACE VIEW scalars AS SELECT * FROM scalars_raw FINAL',
    'CREATE OR REPLACE VIEW readings AS SELECT * FROM readings_raw FINAL',
    'CREATE OR REPLACE VIEW findings AS SELECT * FROM findings_raw FINAL',
    'CREATE OR REPLACE VIEW instruments AS SELECT * FROM instruments_raw FINAL',
    `CREATE OR REPLACE VIEW series AS
      SELECT run, attempt, rank, step, toString(name) AS name, '' AS key, value, toFloat64(nan) AS bound,
        time, 'log' AS source FROM scalars_raw FINAL
      UNION ALL
      SELECT run, attempt, toUInt32(0) AS rank, step, toString(name) AS name, toString(key) AS key, value,
        bound, time, toString(source) AS source FROM readings_raw FINAL`,
  ],
};
