import { expect, test } from 'vitest';
import type { FindingBody } from '#dashboard/events/http.js';
import { stageSpans } from './stages.js';

const stage = (step: number, to: string, rest: Partial<FindingBody> = {}): FindingBody =>
  ({ id: `${step}${to}`, kind: 'stage', attempt: 1, step, onset: step, to, timeMs: 0, ...rest }) as FindingBody;

test('stages - from one declaration to the next, with what it was seen to have begun at', () => {
  const spans = stageSpans(
    [stage(0, 'transient'), stage(10, 'saturation'), stage(55, 'sharpening', { onset: 10 })],
    new Map([[1, 0]]),
  );
  expect(spans).toEqual([
    { stage: 'transient', detail: '', start: 0, onset: 0, end: 10 },
    { stage: 'saturation', detail: '', start: 10, onset: 10, end: 55 },
    { stage: 'sharpening', detail: '', start: 55, onset: 10, end: Infinity },
  ]);
});

test('stages - what an attempt concluded after the point that training went on from does not count', () => {
  const findings = [stage(0, 'transient'), stage(50, 'diverged'), stage(45, 'edge', { attempt: 2 })];
  const starts = new Map([
    [1, 0],
    [2, 40],
  ]);
  expect(stageSpans(findings, starts).map(({ stage, start, end }) => [stage, start, end])).toEqual([
    ['transient', 0, 45],
    ['edge', 45, Infinity],
  ]);
});
