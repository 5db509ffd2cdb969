import { describe, expect, it } from 'vitest';
import { wishCadence } from './cadence.js';
import type { RunFacts, StepReadings } from './detector.js';
import { taggerStateOf } from './judge.js';
import { plainSgd } from './testing/golden-streams.js';
import { at, facts, judgeAll } from './testing/judge-all.js';

describe('an episode of divergence', () => {
  const healthy = (step: number) => at(step, { 'loss.train': 0.3, lr: 0.1 });
  const steps = (from: number, to: number, of: (step: number) => StepReadings) =>
    Array.from({ length: to - from }, (_, i) => of(from + i));

  it('ends: 40 NaN steps in 200 000, and the run is not diverged any more', () => {
    const { findings, states } = judgeAll([
      at(0, { 'loss.train': 1, lr: 0.1, sharpness: 3 }),
      ...steps(90_000, 90_040, (step) => at(step, { 'loss.train': Number.NaN, lr: 0.1 })),
      ...steps(90_040, 90_200, healthy),
    ]);
    expect(findings.map(({ step, kind, to, severity }) => [step, kind, to, severity])).toEqual([
      [0, 'stage', 'transient', 'info'],
      [90_000, 'divergence_risk', undefined, 'critical'],
      [90_000, 'stage', 'diverged', 'critical'],
      [90_059, 'recovered', undefined, 'info'],
      [90_059, 'stage', 'unknown', 'info'],
    ]);
    expect(findings.find(({ kind }) => kind === 'recovered')?.evidence).toEqual({
      began: 90_000,
      'loss.train': 'nan',
      peak_step: 90_000,
      last_bad: 90_039,
      bad_readings: 40,
    });
    expect(taggerStateOf(states.at(-1)!)).toMatchObject({ stage: 'unknown', detail: 'recovered' });
    expect(wishCadence(taggerStateOf(states.at(-1)!), 90_200)).toEqual({ everySteps: 1, factor: 1.02 });
  });

  it('is judged anew from what is measured then', () => {
    const { findings } = judgeAll([
      at(0, { 'loss.train': 1, lr: 0.1, sharpness: 3 }),
      ...steps(100, 110, (step) => at(step, { 'loss.train': 1e9, lr: 0.1 })),
      ...steps(110, 200, (step) => at(step, { 'loss.train': 0.3, lr: 0.1, sharpness: 5 })),
    ]);
    expect(findings.filter(({ kind }) => kind === 'stage').map(({ step, to, onset }) => [step, to, onset])).toEqual([
      [0, 'transient', 0],
      [100, 'diverged', 100],
      [129, 'unknown', 129],
      [130, 'transient', 129],
      [139, 'saturation', 139],
    ]);
    expect(findings.some(({ kind }) => kind === 'early_phase')).toBe(false);
  });

  it('goes on while the loss is finite and not healthy', () => {
    const { findings } = judgeAll([
      at(0, { 'loss.train': 1 }),
      at(100, { 'loss.train': Number.NaN }),
      ...steps(101, 300, (step) => at(step, { 'loss.train': 50 })),
    ]);
    expect(findings.map(({ kind }) => kind)).toEqual(['divergence_risk', 'stage']);
  });

  it('takes in what is measured of it later', () => {
    const { findings } = judgeAll([
      at(0, { 'loss.train': 1 }),
      at(107, { 'loss.train': Number.NaN }),
      ...steps(108, 160, healthy),
      at(107, { 'gradient.norm': Number.NaN }),
      ...steps(160, 220, healthy),
    ]);
    expect(findings.filter(({ kind }) => kind !== 'stage').map(({ kind }) => kind)).toEqual(['divergence_risk', 'recovered']);
  });

  it('a reading that stops coming does not mute the next one', () => {
    const { findings } = judgeAll([
      at(0, { 'loss.train': 1, 'gradient.norm': 1 }),
      at(10, { 'loss.train': 1, 'gradient.norm': Number.NaN }),
      ...steps(11, 1000, healthy),
      at(1000, { 'loss.train': Number.NaN }),
    ]);
    expect(findings.filter(({ kind }) => kind === 'divergence_risk').map(({ step }) => step)).toEqual([10, 1000]);
  });
});

describe('the early phase', () => {
  const later = (from: number, loss: (step: number) => number) =>
    Array.from({ length: 40 }, (_, i) => at(from + i, { 'loss.train': loss(from + i), lr: 0.1, sharpness: 5 }));

  it('is of a run that is heard from its start', () => {
    const kinds = judgeAll(later(5000, () => 1)).findings.map(({ kind, to }) => `${kind} ${to}`);
    expect(kinds).toEqual(['stage transient', 'stage saturation']);
    expect(judgeAll(later(0, () => 1)).findings.map(({ kind, to }) => `${kind} ${to}`)).toContain('early_phase lazy');
  });

  it('is over long before a NaN at step 90 000, measured or not', () => {
    for (const first of [{ 'loss.train': 1 }, { 'loss.train': 1, lr: 0.1, sharpness: 5 }]) {
      const { findings } = judgeAll([at(0, first), at(90_000, { 'loss.train': Number.NaN })]);
      expect(findings.map(({ kind }) => kind)).toContain('divergence_risk');
      expect(findings.map(({ kind }) => kind)).not.toContain('early_phase');
    }
    const { findings } = judgeAll([at(0, { 'loss.train': 1 }), at(4, { 'loss.train': Number.NaN })]);
    expect(findings.filter(({ kind }) => kind === 'early_phase').map(({ to }) => to)).toEqual(['divergent']);
  });

  it('has no catapult below the limit of the optimizer in use, and says c = η·λ0', () => {
    const momentum = { ...facts, optimizer: { ...plainSgd, momentum: 0.9 } };
    const steps = (sharpness: number) =>
      Array.from({ length: 40 }, (_, step) =>
        at(step, { 'loss.train': step === 0 || step > 5 ? 1 : 1.5, lr: 0.01, sharpness: step === 0 ? sharpness : 3 }),
      );
    const early = (sharpness: number) =>
      judgeAll(steps(sharpness), momentum).findings.find(({ kind }) => kind === 'early_phase')!;
    expect(early(3.31)).toMatchObject({
      to: 'lazy',
      evidence: { c: expect.closeTo(0.0331, 12), c_limit: expect.closeTo(3.8, 12) },
    });
    expect(early(3.31).text).toContain('c = η·λ0 = 0.0331 (unstable from 3.8 on)');
    expect(early(379).to).toBe('lazy');
    expect(early(381).to).toBe('catapult');
  });

  it('has a catapult in mini-batches where the loss on fixed examples rose, or the logged one beyond its noise', () => {
    const noise = (step: number) => 0.3 * Math.sin(7 * step * step);
    const of = (readings: (step: number) => Record<string, number>, batch: RunFacts['batch']) =>
      judgeAll(
        Array.from({ length: 40 }, (_, step) => at(step, { lr: 0.1, sharpness: step === 0 ? 30 : 5, ...readings(step) })),
        { ...facts, batch },
      ).findings.find(({ kind }) => kind === 'early_phase')?.to;
    for (const batch of [32, 'unknown'] as const) {
      expect(of((step) => ({ 'loss.train': 1 + noise(step) }), batch)).toBe('lazy');
      expect(of((step) => ({ 'loss.train': 1 + noise(step) + (step > 3 && step < 8 ? 9 : 0) }), batch)).toBe('catapult');
      expect(of((step) => ({ 'loss.train': 1 + noise(step), 'loss.probe': step === 3 ? 1.2 : 1 }), batch)).toBe('catapult');
    }
    expect(of((step) => ({ 'loss.train': 1 + noise(step) }), 'full')).toBe('catapult');
  });
});

describe('the size of a batch', () => {
  const noisy = Array.from({ length: 40 }, (_, step) =>
    at(step, { 'loss.train': 1 + 0.3 * Math.sin(7 * step * step), lr: 0.1, sharpness: step === 0 ? 30 : 5 }),
  );
  const early = (of: Partial<RunFacts>, said: Record<string, number>) =>
    judgeAll([at(0, { ...noisy[0]!.readings, ...said }), ...noisy.slice(1)], { ...facts, ...of }).findings.find(
      ({ kind }) => kind === 'early_phase',
    )?.to;

  it('is what the job says, and full when it is the training set; what is not said is judged as a mini-batch', () => {
    expect(early({ batch: 'unknown' }, {})).toBe('lazy');
    expect(early({ batch: 'unknown', trainingExamples: 1500 }, { batch_size: 32 })).toBe('lazy');
    expect(early({ batch: 'unknown', trainingExamples: 1500 }, { batch_size: 1500 })).toBe('catapult');
    expect(early({ batch: 'unknown' }, { batch_size: 1500 })).toBe('lazy');
  });
});

describe('clipping', () => {
  it('raises the threshold where it bites, and says so', () => {
    const steps = (readings: Record<string, number>) =>
      judgeAll([at(0, { 'loss.train': 1, lr: 0.1, sharpness: 30, ...readings })]);
    const crossing = (readings: Record<string, number>) => steps(readings).findings.find(({ kind }) => kind === 'edge_crossed');
    expect(crossing({})?.evidence).toEqual({ sharpness: 30, 'sharpness.threshold': 20, 'edge.ratio': 1.5 });
    expect(crossing({ 'gradient.clip': 1, 'gradient.norm': 2 })).toBeUndefined();
    expect(crossing({ 'gradient.clip': 1, 'gradient.norm': 0.5 })?.evidence['edge.ratio']).toBe(1.5);
    expect(crossing({ 'gradient.clip': 0, 'gradient.norm': 2 })?.evidence['edge.ratio']).toBe(1.5);
    const bitten = crossing({ 'gradient.clip': 1, 'gradient.norm': 1.25 })!;
    expect(bitten.evidence).toMatchObject({
      'sharpness.threshold': 25,
      'edge.ratio': 1.2,
      'gradient.clip': 1,
      'gradient.norm': 1.25,
    });
    expect(bitten.text).toMatch(/1\.20 × 2\.5\/η, of the rate that clipping to 1 leaves$/);
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
