import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Finding, RunFacts } from './detector.js';
import { createJudge } from './judge.js';
import { median } from './stage/noise.js';
import { plainSgd } from './testing/golden-streams.js';
import { largest } from '#math/extremes.js';

/** Trainings on mini-batches, measured in float64 by PyTorch and scipy: `test/golden/minibatch.py`. */
interface MiniBatchStream {
  readonly loss: RunFacts['loss'];
  readonly kind: string;
  readonly batch: number;
  readonly lr: number;
  readonly momentum: number;
  readonly seed: number;
  readonly rows: readonly (readonly [step: number, batchLoss: number, probeLoss: number, sharpness: number])[];
}

const { cases } = JSON.parse(readFileSync('test/golden/minibatch_streams.json', 'utf8')) as { cases: readonly MiniBatchStream[] };

/** With the learning rate said once, and the size of the batch known or not. */
function judged(stream: MiniBatchStream, batch: RunFacts['batch'], from = 0): Finding[] {
  const judge = createJudge({ loss: stream.loss, batch, optimizer: { ...plainSgd, momentum: stream.momentum } });
  let state = judge.initial();
  const found: Finding[] = [];
  for (const [step, batchLoss, probeLoss, sharpness] of stream.rows.slice(from)) {
    const readings = {
      'loss.train': batchLoss,
      'loss.probe': probeLoss,
      sharpness,
      ...(found.length === 0 && { lr: stream.lr }),
    };
    const { state: next, findings } = judge.readings(state, { step, readings });
    state = next;
    found.push(...findings);
  }
  return found;
}

/** The sharpness without its swings: the median of five measurements. */
const smooth = (rows: MiniBatchStream['rows']): number[] =>
  rows.slice(4).map((_, i) => median(rows.slice(i, i + 5).map((row) => row[3])));

describe.each(cases)('mini-batches: $loss, $kind, batch $batch, lr $lr, momentum $momentum, seed $seed', (stream) => {
  it.each([stream.batch, 'unknown'] as const)('batch %s: no catapult, and c = η·λ0 says why', (batch) => {
    const early = judged(stream, batch).filter(({ kind }) => kind === 'early_phase');
    expect(early.map(({ to }) => to)).toEqual(['lazy']);
    expect(early[0]!.evidence['c']).toBeCloseTo(stream.lr * stream.rows[0]![3], 12);
    expect(early[0]!.evidence['c_limit']).toBeCloseTo(2 + 2 * stream.momentum, 12);
  });

  it.each([stream.batch, 'unknown'] as const)(
    'batch %s: a late decline is told when the sharpness stays below what it was',
    (batch) => {
      for (const { step } of judged(stream, batch).filter(({ to }) => to === 'late_decline')) {
        const at = stream.rows.findIndex((row) => row[0] === step);
        const highest = largest(smooth(stream.rows.slice(0, at + 1)));
        // Without the five measurements that still hold of what was before.
        expect(largest([0, ...smooth(stream.rows.slice(at))])).toBeLessThan(0.9 * highest);
      }
    },
  );
});

it('mini-batches - a cross-entropy whose sharpness has lost 35 % of what it was is in late decline, a binary one as well', () => {
  const halved = cases.filter(({ loss, rows }) => {
    const levels = smooth(rows);
    return loss !== 'mse' && levels.at(-1)! < 0.65 * largest(levels);
  });
  expect(new Set(halved.map(({ loss }) => loss))).toEqual(new Set(['cross-entropy', 'binary-cross-entropy']));
  for (const stream of halved) {
    expect(
      judged(stream, stream.batch)
        .filter(({ kind }) => kind === 'stage')
        .at(-1)?.to,
    ).toBe('late_decline');
  }
});
