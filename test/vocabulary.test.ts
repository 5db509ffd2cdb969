import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { judgedNames } from '#analyzer/judge/judged-points.js';
import { findingKinds } from '#bus/finding-kinds.js';
import { stageName } from '#cli/stage-names.js';
import type { SeriesNameBody } from '#dashboard/events/http.js';
import { mainCharts, otherCharts } from '#dashboard/page/charts/spec.js';
import { stageNames as namesOnThePage } from '#dashboard/page/stages.js';
import { snapshotInstruments } from '#instruments/index.js';
import { createJudge } from '#detectors/judge.js';
import { stageNames } from '#detectors/stages.js';
import type { Finding, RunEvent, RunFacts } from '#detectors/detector.js';
import { packageRoot } from '#runtime/package-root.js';

// docs/vocabulary.md is the one list of names: what code says must stand there.
const page = readFileSync(`${packageRoot}/docs/vocabulary.md`, 'utf8');
const section = (title: string): string => page.split(`## ${title}`)[1]!.split('\n## ')[0]!;
const names = (text: string): Set<string> => new Set([...text.matchAll(/`([a-z_0-9.]+)`/g)].map((match) => match[1]!));

/** Names in the first column of its tables. */
const firstColumn = (text: string): string[] => [...text.matchAll(/^\| (`[^|]*) \|/gm)].flatMap((match) => [...names(match[1]!)]);
/** What a job may log that the page has a place for. */
const everySeries = ['accuracy.train', 'accuracy.val', 'loss.val', 'weight_decay'].map((name): SeriesNameBody => ({
  name,
  key: '',
  source: 'log',
  points: 1,
}));

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
    { kind: 'lost', step: 60, silentMs: 50_000, lastHeardMs: 0 },
    { kind: 'returned', step: 60, silentMs: 60_000 },
    { kind: 'resumed', step: 60, attempt: 2 },
    { kind: 'gap', step: 61, points: 3, snapshots: 1, records: 1, reason: 'memory' },
    { kind: 'ended', step: 62, status: 'failed', message: 'out of memory' },
  ];
  for (const event of events) take(judge.event(state, event));
  take(judge.readings(state, { step: 63, readings: { 'loss.train': Number.NaN, lr: 0.1 } }));
  for (let step = 64; step < 100; step++) take(judge.readings(state, { step, readings: { 'loss.train': 0.1 } }));
  return found;
}

it('vocabulary - the kinds of findings are those that code makes, one by one', () => {
  // Set aside by the analyzer itself, not by a detector.
  const made = new Set([...everyKindOfFinding().map((finding) => finding.kind), 'dead_letter']);
  expect([...made].sort()).toEqual([...findingKinds].sort());
  expect(firstColumn(section('Findings')).sort()).toEqual([...findingKinds].sort());
});

it('vocabulary - stages are those of the page, of the command line and of the code', () => {
  const [listed = ''] = section('Stages').split('. ');
  expect([...names(listed)]).toEqual([...stageNames]);
  expect(Object.keys(namesOnThePage)).toEqual([...stageNames]);
  for (const stage of stageNames) expect(stageName(stage)).toBe(namesOnThePage[stage]);
});

it('vocabulary - the readings are those that are measured, judged or drawn', () => {
  const drawn = [
    ...mainCharts(everySeries, false).flatMap(({ series }) => series),
    ...otherCharts(everySeries).flatMap(({ series }) => series),
  ];
  const known = new Set([
    ...snapshotInstruments.map(({ name }) => name),
    'curvature.top',
    ...judgedNames,
    ...drawn.map(({ name }) => name),
  ]);
  expect(firstColumn(section('Readings')).filter((name) => !known.has(name))).toEqual([]);
  const listed = new Set(firstColumn(section('Readings')));
  expect([...snapshotInstruments.map(({ name }) => name), ...judgedNames].filter((name) => !listed.has(name))).toEqual([]);
});
