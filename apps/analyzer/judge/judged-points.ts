import type { ScalarBatch } from '#wire/generated/messages.js';
import type { Point } from './pending-steps.js';

/** Logged numbers that a detector looks at; a job may log thousands of others. */
const judgedNames: ReadonlySet<string> = new Set([
  'batch_size',
  'loss.train',
  'loss.val',
  'lr',
  'gradient.norm',
  'sharpness',
  'sharpness.batch',
  'sharpness.preconditioned',
  'sharpness.threshold',
]);

export function judgedPoints({ names, nameIndex, steps, values }: ScalarBatch): readonly Point[] {
  const wanted = names.map((name) => judgedNames.has(name));
  if (!wanted.includes(true)) return [];
  const points: Point[] = [];
  for (let i = 0; i < values.length; i++) {
    if (wanted[nameIndex[i]!] === true) points.push({ step: steps[i]!, name: names[nameIndex[i]!]!, value: values[i]! });
  }
  return points;
}
