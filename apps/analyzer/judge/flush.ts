import {
  encodeJson,
  type ControlBody,
  type FindingBody,
  type LiveBody,
  type MeasuringBody,
  type SeriesDelta,
} from '#bus/messages.js';
import type { Bus, OutgoingMessage } from '#bus/bus.js';
import { toJsonNumber } from '#math/json-number.js';
import type { FindingRow, InstrumentRow, ReadingRow } from '#store/rows.js';
import type { Store } from '#store/store.js';
import type { RunMemory } from './memory.js';
import type { Outcome } from './outcome.js';
import { runBody, runRow } from './run-body.js';

/** What several messages of one run changed, to be written in one go. */
export class Gathered {
  readonly findings: FindingBody[] = [];
  readonly readings: ReadingRow[] = [];
  readonly instruments: InstrumentRow[] = [];
  readonly control: { readonly position: number; readonly body: ControlBody }[] = [];
  /** First and last position that is gathered here. */
  first: number | undefined;
  last = 0;

  take(outcome: Outcome | undefined, position: number): void {
    this.first ??= position;
    this.last = position;
    if (outcome === undefined) return;
    for (const finding of outcome.findings) this.findings.push(finding);
    for (const reading of outcome.readings) this.readings.push(reading);
    for (const instrument of outcome.instruments) this.instruments.push(instrument);
    for (const body of outcome.control) this.control.push({ position, body });
  }
}

/**
 * Everything into ClickHouse. Keys follow from the log, so rows that were written before a crash are written again in vain.
 * The run's own row comes last: who reads that a run has finished finds everything that was found of it until then.
 * Measurements may still be under way.
 */
export async function writeRows(store: Store, run: string, memory: RunMemory, gathered: Gathered): Promise<void> {
  await Promise.all([
    store.write('readings', gathered.readings),
    store.write('findings', gathered.findings.map(findingRow)),
    store.write('instruments', gathered.instruments),
  ]);
  await store.write('runs', [runRow(run, memory, gathered.last)]);
}

/** Tells the others, after the rows are in: alerts, pages, probes. A message that was published before is not stored again. */
export async function publish(
  bus: Bus,
  run: string,
  memory: RunMemory,
  gathered: Gathered,
  measuring: MeasuringBody,
): Promise<void> {
  const { findings, control } = gathered;
  await put(
    bus,
    'findings',
    findings.map((finding) => ({ subject: run, id: finding.id, body: encodeJson(finding) })),
  );
  await put(
    bus,
    'live',
    liveMessages(run, memory, gathered, measuring).map(([id, body]) => ({ subject: run, id, body: encodeJson(body) })),
  );
  await put(
    bus,
    'control',
    control.map(({ position, body }) => ({ subject: run, id: `${body.kind}.${position}`, body: encodeJson(body) })),
  );
}

async function put(bus: Bus, stream: string, messages: readonly OutgoingMessage[]): Promise<void> {
  if (messages.length > 0) await bus.publish(stream, messages);
}

function liveMessages(
  run: string,
  memory: RunMemory,
  gathered: Gathered,
  measuring: MeasuringBody,
): readonly (readonly [string, LiveBody])[] {
  const { first = 0, last, findings, readings, instruments } = gathered;
  const messages: (readonly [string, LiveBody])[] = [];
  if (readings.length > 0) messages.push([`readings.${first}-${last}`, { kind: 'series', series: readingDeltas(readings) }]);
  for (const finding of findings) messages.push([`finding.${finding.id}`, { kind: 'finding', finding }]);
  if (instruments.length > 0) {
    messages.push([`instruments.${last}`, { kind: 'instruments', attempt: memory.attempt, instruments: allInstruments(memory) }]);
  }
  messages.push([`run.${last}`, { kind: 'run', run: runBody(run, memory, measuring) }]);
  return messages;
}

function allInstruments(memory: RunMemory): { instrument: string; on: boolean; reason: string }[] {
  return Object.entries(memory.instruments).map(([instrument, state]) => ({ instrument, ...state }));
}

function readingDeltas(readings: readonly ReadingRow[]): readonly SeriesDelta[] {
  const lines = new Map<string, ReadingRow[]>();
  for (const reading of readings) {
    const id = JSON.stringify([reading.attempt, reading.name, reading.key]);
    const line = lines.get(id);
    if (line === undefined) lines.set(id, [reading]);
    else line.push(reading);
  }
  return Array.from(lines.values(), (line) => ({
    name: line[0]!.name,
    key: line[0]!.key,
    attempt: line[0]!.attempt,
    rank: 0,
    steps: line.map(({ step }) => step),
    values: line.map(({ value }) => toJsonNumber(value)),
    bounds: line.map(({ bound }) => toJsonNumber(bound)),
    source: 'analyzer' as const,
  }));
}

export function findingRow(finding: FindingBody): FindingRow {
  const { id, run, attempt, step, onset, kind, from = '', to = '', detail = '', provisional, severity, text, timeMs } = finding;
  const evidence = JSON.stringify(finding.evidence);
  return { run, id, attempt, step, onset, kind, from, to, detail, provisional, severity, evidence, text, timeMs };
}
