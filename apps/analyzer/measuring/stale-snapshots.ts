import type { OutstandingSnapshot } from '../judge/outstanding.js';

/** So many of one run may always wait. */
const fewSnapshots = 4;

/**
 * The snapshots of a run that are not worth measuring any more: the oldest, while more than a few wait and measuring them all
 * would take too long. Never one that somebody asked for, and never the first of a model, which its check is made on.
 *
 * @param secondsEach until the next one is measured, other runs' turns included
 * @param patienceSeconds a run that is measured within this is not behind
 */
export function staleSnapshots(
  waiting: readonly OutstandingSnapshot[],
  secondsEach: number,
  patienceSeconds: number,
  isChecked: boolean,
): readonly OutstandingSnapshot[] {
  const worthwhile = Math.max(fewSnapshots, Math.floor(patienceSeconds / secondsEach));
  const excess = waiting.length - worthwhile;
  if (excess <= 0) return [];
  return waiting
    .slice(isChecked ? 0 : 1, waiting.length - fewSnapshots)
    .filter(({ reason }) => reason !== 'asked')
    .slice(0, excess);
}
