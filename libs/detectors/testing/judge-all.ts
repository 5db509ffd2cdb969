import type { Finding, RunEvent, RunFacts, StepReadings } from '../detector.js';
import { createJudge, type JudgeState } from '../judge.js';
import { plainSgd } from './golden-streams.js';

export const facts: RunFacts = { loss: 'mse', optimizer: plainSgd, batch: 'full' };

/** What all detectors find in these, with their state through JSON after each. */
export function judgeAll(
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

export const at = (step: number, readings: Record<string, number>): StepReadings => ({ step, readings });
