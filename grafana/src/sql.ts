import { adaptiveOptimizers } from '#math/stability-threshold.js';

/** The SQL of the run dashboard. Public views only, plain columns, times as the first column. */

const chosenRun = 'IN (${run:singlequote})';

export const runs = `
  SELECT run, concat(if(name = '', run, name), ' (', formatDateTime(created, '%F %R'), ')') AS text
  FROM runs ORDER BY created DESC LIMIT 500`;

export const facts = `
  SELECT name, project, status, stage, step, planned_steps AS planned, attempt, framework, optimizer, loss,
    multiIf(full_batch, 'full', batch_size = 0, 'not known', toString(batch_size)) AS batch, created, seen, tags, message
  FROM runs WHERE run ${chosenRun}`;

/** Runs whose optimizer is judged by λ1(P⁻¹H). */
const preconditionedRuns = `
  SELECT run FROM runs
  WHERE lower(JSONExtractString(optimizer, 'name')) IN (${adaptiveOptimizers.map((name) => `'${name}'`).join(', ')})
    OR JSONExtractBool(optimizer, 'ownRates')`;

/** One line for each name; the largest finite value of each interval, so that a spike is never averaged away. */
export function lines(names: readonly string[], condition = 'true'): string {
  return `
    SELECT $__timeInterval_ms(s.time) AS time, s.name AS name, maxIf(s.value, isFinite(s.value)) AS value
    FROM series AS s
    WHERE s.run ${chosenRun} AND s.name IN (${names.map((name) => `'${name}'`).join(', ')}) AND s.key = ''
      AND ${condition} AND $__timeFilter_ms(s.time)
    GROUP BY time, name
    HAVING countIf(isFinite(s.value)) > 0
    ORDER BY time, name`;
}

/** Where it is judged by λ1(P⁻¹H) the threshold is drawn against that, and never against λ1. */
const isPreconditioned = `s.run IN (${preconditionedRuns})`;
const isMeasured = `s.run IN (SELECT run FROM series WHERE run ${chosenRun} AND name = 'sharpness.preconditioned')`;
export const curvature = lines(
  ['sharpness', 'sharpness.preconditioned', 'sharpness.threshold'],
  `multiIf(NOT ${isPreconditioned}, s.name != 'sharpness.preconditioned',
      ${isMeasured}, s.name != 'sharpness', s.name = 'sharpness')`,
);

export const brokenNumbers = `
  SELECT $__timeInterval_ms(s.time) AS time, s.name AS name, toFloat64(count()) AS value
  FROM series AS s
  WHERE s.run ${chosenRun} AND NOT isFinite(s.value) AND $__timeFilter_ms(s.time)
  GROUP BY time, name
  ORDER BY time, name`;

export const findings = `
  SELECT time, step, severity, kind, text
  FROM findings WHERE run ${chosenRun} ORDER BY step, time, id`;

export const instruments = `
  SELECT instrument, if(enabled, 'on', 'off') AS state, reason
  FROM instruments WHERE run ${chosenRun}
  ORDER BY enabled, instrument`;

/** A region for each time the run was in the stage. */
export function stageBands(stage: string): string {
  return `
    SELECT from_time AS time, to_time AS timeEnd, concat('${stage}', if(detail = '', '', concat(': ', detail))) AS text, stage AS tags
    FROM stages
    WHERE run ${chosenRun} AND stage = '${stage}' AND from_time <= $__toTime_ms AND to_time >= $__fromTime_ms
    ORDER BY time`;
}

export const warnings = `
  SELECT time, text, concat(severity, ',', kind) AS tags
  FROM findings
  WHERE run ${chosenRun} AND severity != 'info' AND $__timeFilter_ms(time)
  ORDER BY time`;

/**
 * Runs that say themselves that they diverge, or whose loss is not a number: one line a run, 1 where it was so. Only runs
 * that were seen lately are looked at, so that the key of the table is of use.
 */
export const divergence = `
  SELECT toStartOfInterval(time, INTERVAL 30 second) AS time, run_name AS run, max(bad) AS diverged
  FROM (
    SELECT f.time AS time, if(r.name = '', r.run, r.name) AS run_name,
      toFloat64(f.kind = 'divergence_risk' OR f.to_label = 'diverged') AS bad
    FROM findings AS f INNER JOIN runs AS r ON f.run = r.run
    WHERE $__timeFilter(f.time)
    UNION ALL
    SELECT s.time AS time, if(r.name = '', r.run, r.name) AS run_name, toFloat64(NOT isFinite(s.value)) AS bad
    FROM scalars AS s INNER JOIN runs AS r ON s.run = r.run
    WHERE $__timeFilter(s.time) AND s.name IN ('loss.train', 'loss.val')
      AND s.run IN (SELECT run FROM runs WHERE seen >= now() - INTERVAL 1 HOUR)
  )
  GROUP BY time, run
  ORDER BY time, run`;
