import { describe, expect, it } from 'vitest';
import { wishCadence } from './cadence.js';
import type { RunFacts } from './detector.js';
import { taggerStateOf } from './judge.js';
import { stageStreams } from './testing/golden-streams.js';
import { at, facts, judgeAll } from './testing/judge-all.js';

describe('divergence', () => {
  it('is said once an episode, whatever goes bad in it', () => {
    const { findings } = judgeAll([
      at(0, { 'loss.train': 1 }),
      at(1, { 'loss.train': Number.NaN, 'gradient.norm': Number.POSITIVE_INFINITY }),
      at(2, { 'loss.train': Number.NaN }),
      at(3, { 'loss.train': 1, 'gradient.norm': 1 }),
      at(4, { 'loss.train': 1e6 }),
    ]);
    const risks = findings.filter(({ kind }) => kind === 'divergence_risk');
    expect(risks.map(({ step, detail, severity, evidence }) => [step, detail, severity, evidence])).toEqual([
      [1, 'non_finite', 'critical', { 'loss.train': 'nan' }],
      [4, 'exploding', 'critical', { 'loss.train': 1e6 }],
    ]);
  });

  it('leaves alone what a job logs for itself, and a large first loss', () => {
    const { findings } = judgeAll([at(0, { 'loss.train': 1e7, 'my.metric': Number.NaN }), at(1, { 'loss.train': 2e7 })]);
    expect(findings).toEqual([]);
  });
});

describe('edge_crossed', () => {
  it('is said at 0.95 and again only after 0.75', () => {
    const ratios = [0.5, 0.94, 0.95, 0.9, 0.97, 0.74, 0.96];
    const { findings } = judgeAll(ratios.map((r, step) => at(step, { 'loss.train': 1, lr: 0.1, sharpness: 20 * r })));
    expect(findings.filter(({ kind }) => kind === 'edge_crossed').map(({ step }) => step)).toEqual([2, 6]);
  });
});

describe('run state', () => {
  const lastHeardMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

  it('tells loss, return, resumption and gaps', () => {
    const { findings } = judgeAll([
      { kind: 'lost', step: 7, silentMs: 45_000, lastHeardMs },
      { kind: 'lost', step: 7, silentMs: 45_000, lastHeardMs },
      { kind: 'returned', step: 7, silentMs: 60_000 },
      { kind: 'gap', step: 9, points: 1, snapshots: 2, records: 0, reason: 'spool' },
      { kind: 'resumed', step: 8, attempt: 2 },
      { kind: 'ended', step: 20, status: 'finished', message: '' },
    ]);
    expect(findings.map(({ kind, severity, text }) => [kind, severity, text])).toEqual([
      ['lost', 'warning', 'step 7: nothing was heard from the job for 45 s; last at 2026-01-02 03:04:05 UTC, at step 7'],
      ['resumed', 'info', 'step 7: the job speaks again after 60 s'],
      ['gap', 'warning', 'step 9: 1 point, 2 snapshots left out (spool)'],
      ['resumed', 'info', 'step 8: attempt 2 took up the run'],
    ]);
  });

  it('a job that fails is told in its own words', () => {
    const message = 'ValueError: the labels are wrong\n  in train.py, line 7';
    const { findings } = judgeAll([{ kind: 'ended', step: 20, status: 'failed', message }]);
    expect(findings).toMatchObject([
      {
        kind: 'failed',
        severity: 'critical',
        evidence: { message },
        text: 'step 20: the job failed: ValueError: the labels are wrong',
      },
    ]);
    for (const status of ['finished', 'interrupted']) {
      expect(judgeAll([{ kind: 'ended', step: 20, status, message: '' }]).findings).toEqual([]);
    }
  });

  it('the end of a job that counted as lost says that it was heard again', () => {
    const { findings } = judgeAll([
      { kind: 'lost', step: 7, silentMs: 45_000, lastHeardMs },
      { kind: 'ended', step: 7, status: 'finished', message: '' },
    ]);
    expect(findings.map(({ text }) => text).at(-1)).toBe('step 7: the job was heard again, it has finished');
  });
});

describe('cadence', () => {
  it('is every step at first, dense before the edge, never more than every fifth on it', () => {
    const stream = stageStreams().find(({ name }) => name === 'teacher_gd_0.4')!;
    const { states } = judgeAll(stream.steps, stream.facts);
    const wishAt = (step: number) => {
      const i = stream.steps.findIndex((input) => input.step >= step);
      return wishCadence(taggerStateOf(states[i]!), step);
    };
    expect(wishAt(0)).toEqual({ everySteps: 1, factor: 1 });
    expect(wishAt(30)?.factor).toBe(1.05);
    expect(wishAt(150)?.factor).toBe(1.02);
    expect(wishAt(500)).toEqual({ everySteps: 5, factor: 1.03 });
    expect(wishCadence(taggerStateOf({}), 0)).toBeUndefined();
  });

  it('never lets a measurement grow further apart than a factor of 1.1 before divergence', () => {
    for (const stream of stageStreams()) {
      for (const state of judgeAll(stream.steps, stream.facts).states) {
        expect(wishCadence(taggerStateOf(state), 1000)?.factor ?? 1).toBeLessThanOrEqual(1.1);
      }
    }
  });
});

describe('a resumption', () => {
  it('compares nothing with what was measured before, and tells no stage before its tenth step', () => {
    const crossEntropy: RunFacts = { ...facts, loss: 'cross-entropy' };
    const sharpening = (step: number) => at(step, { 'loss.train': 1, lr: 0.01, sharpness: 5 * 1.01 ** Math.min(step, 60) });
    const lower = (step: number) => at(step, { 'loss.train': 1, lr: 0.01, sharpness: 6 + 0.001 * step });
    const { findings } = judgeAll(
      [
        ...Array.from({ length: 80 }, (_, step) => sharpening(step)),
        { kind: 'resumed', step: 80, attempt: 2 },
        ...Array.from({ length: 40 }, (_, i) => lower(80 + i)),
      ],
      crossEntropy,
    );
    const stages = findings.filter(({ kind }) => kind === 'stage').map(({ step, to }) => [step, to] as const);
    expect(stages.filter(([step]) => step < 80).at(-1)?.[1]).toBe('sharpening');
    expect(stages.map(([, to]) => to)).not.toContain('late_decline');
    expect(stages.filter(([step]) => step >= 80 && step < 90)).toEqual([]);
  });
});
