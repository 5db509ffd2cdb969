import { describe, expect, it } from 'vitest';
import { wishCadence } from './cadence.js';
import type { Finding, RunEvent, RunFacts, StepReadings } from './detector.js';
import { createJudge, taggerStateOf, type JudgeState } from './judge.js';
import { plainSgd, stageStreams } from './testing/golden-streams.js';

const facts: RunFacts = { loss: 'mse', optimizer: plainSgd, batch: 'full' };

function judgeAll(
  inputs: readonly (StepReadings | RunEvent)[],
  of: RunFacts = facts,
): { findings: Finding[]; states: JudgeState[] } {
  const judge = createJudge(of);
  let state = judge.initial();
  const findings: Finding[] = [];
  const states: JudgeState[] = [];
  for (const input of inputs) {
    const saved = JSON.parse(JSON.stringify(state)) as JudgeState;
    const result = 'kind' in input ? judge.event(saved, input) : judge.readings(saved, input);
    findings.push(...result.findings);
    state = result.state;
    states.push(state);
  }
  return { findings, states };
}

const at = (step: number, readings: Record<string, number>): StepReadings => ({ step, readings });

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

describe('what is carried forward', () => {
  it('a threshold follows the rate and the momentum that were said last', () => {
    const crossed = (changes: Record<string, number>): number =>
      judgeAll([at(0, { 'loss.train': 1, lr: 0.1 }), at(1, changes), at(2, { 'loss.train': 1, sharpness: 21 })]).findings.filter(
        ({ kind }) => kind === 'edge_crossed',
      ).length;
    expect(crossed({})).toBe(1);
    expect(crossed({ lr: 0.05 })).toBe(0);
    expect(crossed({ momentum: 0.9 })).toBe(0);
  });

  it('a threshold that was measured at another rate is not compared with', () => {
    const { findings } = judgeAll([
      at(0, { 'loss.train': 1, lr: 0.1, sharpness: 10, 'sharpness.threshold': 20 }),
      at(5, { lr: 0.05 }),
      at(6, { 'loss.train': 1, sharpness: 21 }),
    ]);
    expect(findings.filter(({ kind }) => kind === 'edge_crossed')).toEqual([]);
  });

  it('nothing of an attempt holds in the next one', () => {
    const { findings } = judgeAll([
      at(0, { 'loss.train': 1, lr: 0.1 }),
      { kind: 'resumed', step: 0, attempt: 2 },
      at(1, { 'loss.train': 1, sharpness: 21 }),
    ]);
    expect(findings.map(({ kind }) => kind)).toEqual(['resumed']);
  });
});

describe('run state', () => {
  it('tells loss, return, resumption and gaps', () => {
    const { findings } = judgeAll([
      { kind: 'lost', step: 7, silentMs: 45_000 },
      { kind: 'lost', step: 7, silentMs: 45_000 },
      { kind: 'returned', step: 7, silentMs: 60_000 },
      { kind: 'gap', step: 9, points: 1, snapshots: 2, records: 0, reason: 'spool' },
      { kind: 'resumed', step: 8, attempt: 2 },
      { kind: 'ended', step: 20, status: 'finished' },
    ]);
    expect(findings.map(({ kind, severity, text }) => [kind, severity, text])).toEqual([
      ['lost', 'warning', 'step 7: nothing was heard from the job for 45 s'],
      ['resumed', 'info', 'step 7: the job speaks again after 60 s'],
      ['gap', 'warning', 'step 9: 1 point, 2 snapshots left out (spool)'],
      ['resumed', 'info', 'step 8: attempt 2 took up the run'],
    ]);
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
