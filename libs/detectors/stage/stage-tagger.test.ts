import { describe, expect, it } from 'vitest';
import type { Finding, RunFacts, StepReadings } from '../detector.js';
import { framed, type Frame } from '../frame.js';
import { onChange, plainSgd, sgdStreams, stageStreams, type GoldenStream } from '../testing/golden-streams.js';
import { stageTagger } from './stage-tagger.js';
import type { TaggerState } from './state.js';

const referenceNames: Readonly<Record<string, string>> = {
  TRANSIENT: 'transient',
  SATURATION: 'saturation',
  SHARPENING: 'sharpening',
  EOS: 'edge',
  LATE_DECLINE: 'late_decline',
  DIVERGED: 'diverged',
};

function tag(
  facts: RunFacts,
  steps: readonly StepReadings[],
  between: (state: TaggerState) => TaggerState = (state) => state,
  from: TaggerState = stageTagger.initial(facts),
) {
  let state = from;
  let frame: Frame = {};
  const findings: Finding[] = [];
  for (const step of steps) {
    const input = framed(frame, step);
    frame = input.frame;
    const result = stageTagger.onReadings!(state, input, facts);
    findings.push(...result.findings);
    state = between(result.state);
  }
  return { state, findings };
}

function stagesOf(findings: readonly Finding[]): unknown[] {
  return findings.filter(({ kind }) => kind === 'stage').map(({ step, to, detail, onset }) => [step, to, detail, onset]);
}

/** The reference has an onset only where it looks back, and begins at step 0 whenever the first measurement comes. */
function expectedOf({ events, steps }: GoldenStream): unknown[] {
  return events.map(([step, stage, detail, onset], i) => [
    i === 0 ? steps[0]!.step : step,
    referenceNames[stage],
    detail,
    onset ?? step,
  ]);
}

const throughJson = (state: TaggerState): TaggerState => JSON.parse(JSON.stringify(state)) as TaggerState;
const streams = [...stageStreams(), ...sgdStreams()];

describe('stage tagger', () => {
  it.each(streams)('$name gives the events of the reference', (stream) => {
    expect(stagesOf(tag(stream.facts, stream.steps).findings)).toEqual(expectedOf(stream));
  });

  it.each(streams)('$name: what is sent only when it changes gives the same findings', (stream) => {
    expect(tag(stream.facts, onChange(stream.steps)).findings).toEqual(tag(stream.facts, stream.steps).findings);
  });

  it.each(stageStreams())('$name gives the early label of the reference', (stream) => {
    const early = tag(stream.facts, stream.steps).findings.filter(({ kind }) => kind === 'early_phase');
    expect(early).toHaveLength(1);
    const label = [early[0]!.to, ...early[0]!.detail!.split('+').filter((part) => part === 'sharpness_up')].join('+');
    expect(label).toBe(stream.earlyLabel!.replace('no_loss_catapult', 'lazy'));
  });

  it.each(streams)('$name: a state that went through JSON after every step judges the same', (stream) => {
    const straight = tag(stream.facts, stream.steps);
    const saved = tag(stream.facts, stream.steps, throughJson);
    expect(saved.findings).toEqual(straight.findings);
    expect(saved.state).toEqual(straight.state);
  });

  it('takes losses of steps that were not measured, and never changes the state it was given', () => {
    const [stream] = stageStreams();
    const frozen = Object.freeze(stageTagger.initial(stream!.facts));
    stageTagger.onReadings!(frozen, framed({}, stream!.steps[0]!), stream!.facts);
    expect(frozen).toEqual(stageTagger.initial(stream!.facts));
  });

  it('says the sentence that people read', () => {
    const stream = stageStreams().find(({ name }) => name === 'teacher_gd_0.4')!;
    const edge = tag(stream.facts, stream.steps).findings.find(({ to }) => to === 'edge')!;
    expect(edge.text).toMatch(/^step 165: reached the edge of stability, λ1 = 0\.99 × 2\/η$/);
    expect(edge.evidence).toMatchObject({ lr: 0.4, 'sharpness.threshold': 5 });
  });

  it('stays unknown without a sharpness, a threshold or a loss', () => {
    const facts: RunFacts = { loss: 'mse', optimizer: plainSgd, batch: 'full' };
    const readings: Readonly<Record<string, number>>[] = [
      { 'loss.train': 1, lr: 0.1 },
      { 'loss.train': 1, sharpness: 3 },
      { sharpness: 3, lr: 0.1 },
      { 'loss.train': 1, lr: 0.1, sharpness: Number.NaN },
    ];
    for (const each of readings) {
      const steps = Array.from({ length: 30 }, (_, step) => ({ step, readings: each }));
      expect(tag(facts, steps).findings).toEqual([]);
    }
    const adam = { ...facts, optimizer: { ...plainSgd, name: 'adam', beta1: 0.9 } };
    expect(tag(adam, [{ step: 0, readings: { 'loss.train': 1, lr: 0.1, sharpness: 3 } }]).findings).toEqual([]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 2e5])('a loss of %s is divergence, critical, once', (value) => {
    const facts: RunFacts = { loss: 'mse', optimizer: plainSgd, batch: 'full' };
    const steps = [1, value, value, 1].map((loss, step) => ({ step, readings: { 'loss.train': loss, lr: 0.1, sharpness: 3 } }));
    for (const between of [undefined, throughJson]) {
      const { findings } = tag(facts, steps, between);
      expect(findings.map(({ kind, to, severity }) => [kind, to, severity])).toEqual([
        ['stage', 'transient', 'info'],
        ['stage', 'diverged', 'critical'],
        ['early_phase', 'divergent', 'info'],
      ]);
    }
  });

  it('survives zero, negative and enormous sharpness and a learning rate of zero, through JSON', () => {
    const facts: RunFacts = { loss: 'mse', optimizer: plainSgd, batch: 'full' };
    const steps = [0, -1, 1e308, -1e308, 5e-324, 1, 1, 1, 1, 1, 1, 1, 0].map((sharpness, step) => ({
      step,
      readings: { 'loss.train': 1, lr: step % 3 === 0 ? 0 : 1e3, sharpness },
    }));
    const saved = tag(facts, steps, throughJson);
    expect(saved.findings).toEqual(tag(facts, steps).findings);
    expect(JSON.stringify(saved.state)).not.toContain('null,null');
  });

  it('keeps the stage of a job that resumes after it began, and judges anew one that goes back further', () => {
    const stream = stageStreams().find(({ name }) => name === 'teacher_gd_0.4')!;
    const { state } = tag(
      stream.facts,
      stream.steps.filter(({ step }) => step <= 500),
    );
    expect(state.stage).toBe('edge');
    const later = stageTagger.onEvent!(state, { kind: 'resumed', step: 400, attempt: 2 }, stream.facts);
    expect(later.state.stage).toBe('edge');
    expect(later.findings).toEqual([]);
    const earlier = stageTagger.onEvent!(state, { kind: 'resumed', step: 100, attempt: 2 }, stream.facts);
    expect(stagesOf(earlier.findings)).toEqual([[100, 'transient', 'resumed', 100]]);
    const anew = stageTagger.onEvent!(state, { kind: 'resumed', step: 0, attempt: 2 }, stream.facts);
    const { findings } = tag(stream.facts, stream.steps, undefined, anew.state);
    expect(stagesOf(findings)).toEqual(expectedOf(stream).slice(1));
  });
});
