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
    // seen. The onset is backdated to a step that was measured, and its time is that of the readings at that step.
    `CREATE OR REPLACE VIEW stages AS
      WITH marks AS (
        SELECT run, attempt, to_label AS stage, detail, onset, time AS declared,
          row_number() OVER (PARTITION BY run ORDER BY attempt, step, time, id) AS place
        FROM findings_raw FINAL WHERE kind = 'stage'
      ),
      times AS (
        SELECT toString(run) AS run, attempt, step, min(time) AS time FROM readings_raw
        WHERE (run, attempt, step) IN (SELECT run, attempt, onset FROM findings_raw WHERE kind = 'stage')
        GROUP BY run, attempt, step
      ),
      placed AS (
        SELECT m.run AS run, m.attempt AS attempt, m.stage AS stage, m.detail AS detail, m.onset AS onset, m.place AS place,
          if(t.time > toDateTime64(0, 3, 'UTC'), least(t.time, m.declared), m.declared) AS began
        FROM marks AS m LEFT JOIN times AS t ON m.run = t.run AND m.attempt = t.attempt AND m.onset = t.step
      ),
      followed AS (
        SELECT run, attempt, stage, detail, onset, began,
          leadInFrame(place) OVER following AS next_place, leadInFrame(onset) OVER following AS next_onset,
          leadInFrame(began) OVER following AS next_began
        FROM placed
        WINDOW following AS (PARTITION BY run ORDER BY place ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
      )
      SELECT f.run AS run, f.attempt AS attempt, toString(f.stage) AS stage, f.detail AS detail,
        f.onset AS from_step, f.began AS from_time,
        greatest(if(f.next_place > 0, f.next_onset, r.step), f.onset) AS to_step,
        greatest(if(f.next_place > 0, f.next_began, r.seen), f.began) AS to_time
      FROM followed AS f LEFT JOIN (SELECT run, step, seen FROM runs_raw FINAL) AS r ON f.run = r.run`,
  ],
};
