import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { snapshotInstruments } from '#instruments/index.js';
import { createJudge } from '#detectors/judge.js';
import { stageNames } from '#detectors/stages.js';
import type { Finding, RunEvent, RunFacts } from '#detectors/detector.js';
import { packageRoot } from '#runtime/package-root.js';

// docs/vocabulary.md is the one list of names: what code says must stand there.
const page = readFileSync(`${packageRoot}/docs/vocabulary.md`, 'utf8');
const section = (title: string): string => page.split(`## ${title}`)[1]!.split('\n## ')[0]!;
const names = (text: string): Set<string> => new Set([...text.matchAll(/`([a-z_0-9.]+)`/g)].map((match) => match[1]!));

const facts: RunFacts = {
  loss: 'mse',
  batch: 'full',
  optimizer: {
    name: 'sgd',
    momentum: 0,
    dampening: 0,
    nesterov: false,
    beta1: 0,
    beta2: 0,
    epsilon: 0,
    weightDecay: 0,
    decoupledDecay: false,
  },
};

function everyKindOfFinding(): readonly Finding[] {
  const judge = createJudge(facts);
  let state = judge.initial();
  const found: Finding[] = [];
  const take = (step: ReturnType<typeof judge.readings>): void => {
    state = step.state;
    found.push(...step.findings);
  };
  for (let step = 0; step < 60; step++)
    take(judge.readings(state, { step, readings: { 'loss.train': 1 / (step + 1), lr: 0.1, sharpness: 10 + step / 3 } }));
  const events: RunEvent[] = [
    { kind: 'lost', step: 60, silentMs: 50_000 },
    { kind: 'returned', step: 60, silentMs: 60_000 },
    { kind: 'resumed', step: 60, attempt: 2 },
    { kind: 'gap', step: 61, points: 3, snapshots: 1, records: 1, reason: 'memory' },
    { kind: 'ended', step: 62, status: 'failed' },
  ];
  for (const event of events) take(judge.event(state, event));
  take(judge.readings(state, { step: 63, readings: { 'loss.train': Number.NaN, lr: 0.1 } }));
  for (let step = 64; step < 100; step++) take(judge.readings(state, { step, readings: { 'loss.train': 0.1 } }));
  return found;
}

it('vocabulary - every finding is of a kind that the page lists', () => {
  const kinds = new Set(everyKindOfFinding().map((finding) => finding.kind));
  expect(kinds.size).toBeGreaterThan(5);
  expect([...kinds].filter((kind) => !names(section('Findings')).has(kind))).toEqual([]);
});

it('vocabulary - stages are those of the page', () => {
  expect(stageNames.filter((stage) => !names(section('Stages')).has(stage))).toEqual([]);
});

it('vocabulary - every reading that is measured stands on the page', () => {
  expect(
    [...snapshotInstruments.map(({ name }) => name), 'curvature.top'].filter((name) => !names(section('Readings')).has(name)),
  ).toEqual([]);
});
