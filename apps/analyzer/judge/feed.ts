import type { ControlBody } from '#bus/messages.js';
import { wishCadence } from '#detectors/cadence.js';
import type { Finding, Needs, RunEvent, StepReadings } from '#detectors/detector.js';
import { createJudge, taggerStateOf, type JudgeState } from '#detectors/judge.js';
import { runFacts } from './facts.js';
import type { RunMemory } from './memory.js';
import { findingBodies, quiet, type Cause, type Outcome } from './outcome.js';
import type { Completed, Point } from './pending-steps.js';
import { newWish, wishBody } from './standing-wish.js';
import { watchLosses } from './watch-losses.js';

/** Steps for one lane of detectors. */
function feed(memory: RunMemory, inputs: readonly StepReadings[], needs: Needs): { judge: JudgeState; findings: Finding[] } {
  const judgement = createJudge(runFacts(memory.attached));
  const findings: Finding[] = [];
  let state = memory.judge;
  for (const input of inputs) {
    const step = judgement.readings(state, input, needs);
    state = step.state;
    for (const finding of step.findings) findings.push(finding);
  }
  return { judge: state, findings };
}

/** What needs no measurement is judged as it comes; of a divergence a snapshot is asked for. */
export function feedAtOnce(memory: RunMemory, inputs: readonly StepReadings[], cause: Cause): Outcome {
  const { judge, findings } = feed(memory, inputs, 'logged');
  const next = { ...memory, judge };
  const control: ControlBody[] = [];
  if (findings.some(({ kind }) => kind === 'divergence_risk')) control.push({ kind: 'snapshot-now', reason: 'divergence' });
  return { ...quiet(next), findings: findingBodies(next, findings, cause), control };
}

/** Steps that are complete; the probe is told when another cadence would serve the judgement better. */
export function feedComplete(memory: RunMemory, { pending, complete }: Completed, cause: Cause, already = 0): Outcome {
  const { judge, findings } = feed(memory, complete, 'measured');
  const next = watchLosses({ ...memory, pending, judge }, complete);
  const outcome = { ...quiet(next), findings: findingBodies(next, findings, cause, already) };
  const step = complete.at(-1)?.step;
  const wish = step === undefined ? undefined : wishCadence(taggerStateOf(judge), step);
  if (step === undefined || wish === undefined) return outcome;
  const said = newWish(memory.wish, wish, step, cause.timeMs);
  return said === undefined ? outcome : { ...outcome, memory: { ...next, wish: said }, control: [wishBody(said, step)] };
}

export function feedEvents(memory: RunMemory, events: readonly RunEvent[], cause: Cause, already = 0): Outcome {
  const judgement = createJudge(runFacts(memory.attached));
  const findings: Finding[] = [];
  let state = memory.judge;
  for (const event of events) {
    const step = judgement.event(state, event);
    state = step.state;
    for (const finding of step.findings) findings.push(finding);
  }
  const next = { ...memory, judge: state };
  return { ...quiet(next), findings: findingBodies(next, findings, cause, already) };
}

/** Points by step, in step order. */
export function stepsOf(points: readonly Point[]): readonly StepReadings[] {
  const steps = new Map<number, Record<string, number>>();
  for (const { step, name, value } of points) {
    const readings = steps.get(step) ?? {};
    readings[name] = value;
    steps.set(step, readings);
  }
  return Array.from(steps, ([step, readings]) => ({ step, readings })).sort((a, b) => a.step - b.step);
}
