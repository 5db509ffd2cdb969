import type { ControlBody, FindingBody } from '#bus/messages.js';
import type { Finding } from '#detectors/detector.js';
import { toJsonNumber } from '#math/json-number.js';
import type { InstrumentRow, ReadingRow } from '#store/rows.js';
import type { InstrumentState, RunMemory } from './memory.js';

/** What one message of the log changed beside the memory. All of it follows from the log, ids included. */
export interface Outcome {
  readonly memory: RunMemory;
  readonly findings: readonly FindingBody[];
  readonly readings: readonly ReadingRow[];
  readonly instruments: readonly InstrumentRow[];
  readonly control: readonly ControlBody[];
}

/** Which message of the log is being worked on. */
export interface Cause {
  readonly run: string;
  readonly position: number;
  readonly timeMs: number;
}

export function quiet(memory: RunMemory): Outcome {
  return { memory, findings: [], readings: [], instruments: [], control: [] };
}

/** One thing after the other, as the outcome of one message. The second is told how many findings there are already. */
export function andThen(first: Outcome, second: (memory: RunMemory, already: number) => Outcome): Outcome {
  const next = second(first.memory, first.findings.length);
  return {
    memory: next.memory,
    findings: [...first.findings, ...next.findings],
    readings: [...first.readings, ...next.readings],
    instruments: [...first.instruments, ...next.instruments],
    control: [...first.control, ...next.control],
  };
}

/** Their ids hold the position of the message that caused them: told again, they are the same. */
export function findingBodies(
  memory: RunMemory,
  findings: readonly Finding[],
  { run, position, timeMs }: Cause,
  already = 0,
): readonly FindingBody[] {
  return findings.map((finding, i) => ({
    id: `${run}.${memory.attempt}.${finding.kind}.${finding.step}.${position}-${already + i}`,
    run,
    attempt: memory.attempt,
    ...finding,
    evidence: Object.fromEntries(
      Object.entries(finding.evidence).map(([name, value]) => [name, typeof value === 'number' ? toJsonNumber(value) : value]),
    ),
    timeMs,
    runName: memory.attached.name,
    project: memory.attached.project === '' ? 'default' : memory.attached.project,
  }));
}

/** Takes over the states that differ, with a row for each. */
export function changeInstruments(
  memory: RunMemory,
  states: Readonly<Record<string, InstrumentState>>,
  { run, position }: Cause,
): { readonly memory: RunMemory; readonly instruments: readonly InstrumentRow[] } {
  const changed = Object.entries(states).filter(([name, state]) => {
    const known = memory.instruments[name];
    return known === undefined || known.on !== state.on || known.reason !== state.reason;
  });
  if (changed.length === 0) return { memory, instruments: [] };
  return {
    memory: { ...memory, instruments: { ...memory.instruments, ...Object.fromEntries(changed) } },
    instruments: changed.map(([instrument, { on, reason }]) => ({
      run,
      attempt: memory.attempt,
      instrument,
      on,
      reason,
      version: position,
    })),
  };
}
