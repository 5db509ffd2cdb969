import { readFileSync } from 'node:fs';
import { packageRoot } from '#runtime/package-root.js';
import type { RunLog } from './run-log.js';

interface Golden {
  cases: { name: string; rows: [number, number, number, number, number][] }[];
}

/** A golden stream as a log: to the edge of stability, with batches that cut across steps, a gap and a silence. */
export async function edgeStory(log: RunLog, until = 200): Promise<RunLog> {
  const golden = JSON.parse(readFileSync(`${packageRoot}/test/golden/stage_streams.json`, 'utf8')) as Golden;
  const rows = golden.cases.find(({ name }) => name === 'teacher_gd_0.4')!.rows.filter(([step]) => step <= until);
  log.attach().model();
  let points: [number, string, number][] = [];
  for (const [i, [step, loss, sharpness]] of rows.entries()) {
    points.push([step, 'loss.train', loss], [step, 'lr', 0.4], [step, 'mine', i]);
    // Sometimes the scalars of a step come before its snapshot, sometimes after.
    if (i % 3 === 0) {
      log.scalars(points);
      points = [];
    }
    await log.snapshot(step, sharpness, loss);
    if (step === 60) log.gap(step, 7);
    if (step === 100) log.presence('PRESENCE_STATE_LOST', step).presence('PRESENCE_STATE_RETURNED', step);
  }
  if (points.length > 0) log.scalars(points);
  return log.end(until);
}
