import type { Migration } from './migration.js';

/** What readers see: each row once, plain columns only. Filters on key columns reach the primary index through them. */
export const views: Migration = {
  number: 2,
  name: 'views',
  statements: [
    'CREATE OR REPLACE VIEW runs AS SELECT * FROM runs_raw FINAL',
    'CREATE OR REPLACE VIEW scalars AS SELECT * FROM scalars_raw FINAL',
    'CREATE OR REPLACE VIEW readings AS SELECT * FROM readings_raw FINAL',
    'CREATE OR REPLACE VIEW findings AS SELECT * FROM findings_raw FINAL',
    'CREATE OR REPLACE VIEW instruments AS SELECT * FROM instruments_raw FINAL',

    // Everything that can be drawn: logged numbers and measured quantities.
    `CREATE OR REPLACE VIEW series AS
      SELECT toString(run) AS run, attempt, rank, step, toString(name) AS name, '' AS key, value, toFloat64(nan) AS bound,
        time, 'log' AS source FROM scalars_raw FINAL
      UNION ALL
      SELECT toString(run) AS run, attempt, toUInt32(0) AS rank, step, toString(name) AS name, toString(key) AS key, value,
        bound, time, toString(source) AS source FROM readings_raw FINAL`,

    // The stages of a run as intervals. A stage lasts until the next one begins, the newest one until the run was last
    // seen. \`onset\` is backdated, so its time is that of the first reading at or after it.
    `CREATE OR REPLACE VIEW stages AS
      WITH marks AS (
        SELECT f.run AS run, f.attempt AS attempt, f.to_label AS stage, f.detail AS detail, f.onset AS onset, f.step AS step,
          f.time AS declared, f.id AS id,
          row_number() OVER (PARTITION BY f.run ORDER BY f.attempt, f.step, f.time, f.id) AS place
        FROM findings_raw AS f FINAL WHERE f.kind = 'stage'
      ),
      times AS (SELECT run, attempt, step, min(time) AS time FROM readings_raw GROUP BY run, attempt, step),
      placed AS (
        SELECT m.run AS run, m.attempt AS attempt, m.stage AS stage, m.detail AS detail, m.onset AS onset, m.place AS place,
          if(t.time > toDateTime64(0, 3, 'UTC'), least(t.time, m.declared), m.declared) AS began
        FROM marks AS m ASOF LEFT JOIN times AS t ON m.run = t.run AND m.attempt = t.attempt AND t.step >= m.onset
      )
      SELECT p.run AS run, p.attempt AS attempt, p.stage AS stage, p.detail AS detail,
        p.onset AS from_step, p.began AS from_time,
        if(n.place > 0, n.onset, greatest(r.step, p.onset)) AS to_step,
        if(n.place > 0, n.began, greatest(r.seen, p.began)) AS to_time
      FROM placed AS p
      LEFT JOIN (SELECT run, place - 1 AS place_before, place, onset, began FROM placed) AS n
        ON p.run = n.run AND p.place = n.place_before
      LEFT JOIN (SELECT run, step, seen FROM runs_raw FINAL) AS r ON p.run = r.run`,
  ],
};
