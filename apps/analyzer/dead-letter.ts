import type { Bus, Message } from '#bus/bus.js';
import { encodeJson, type FindingBody, type LiveBody } from '#bus/messages.js';
import type { Metrics } from '#runtime/metrics.js';
import type { Store } from '#store/store.js';
import { decode } from './decode.js';
import { findingRow } from './judge/flush.js';
import type { RunMemory } from './judge/memory.js';
import { decodeMemory } from './judge/saved-memory.js';

export interface DeadLetterParts {
  readonly bus: Bus;
  readonly store: Store;
  readonly metrics: Metrics;
}

/** What is missing when a group has set a record aside. */
const losses: Readonly<Record<string, string>> = {
  ledger: 'its numbers are not in the tables',
  judge: 'nothing was concluded from it',
};
const maxReasonCharacters = 300;

/**
 * Tells of a message that is set aside, as a finding of its run: its row, its alert, its line on the page. Called before
 * the message is rejected: told twice, it is one finding, and it is never not told.
 */
export async function tellDeadLetter(parts: DeadLetterParts, group: string, message: Message, reason: string): Promise<void> {
  const { bus, store, metrics } = parts;
  const finding = await findingOf(bus, group, message, reason);
  await store.write('findings', [findingRow(finding)]);
  const subject = message.subject;
  await bus.publish('findings', [{ subject, id: finding.id, body: encodeJson(finding) }]);
  const live: LiveBody = { kind: 'finding', finding };
  await bus.publish('live', [{ subject, id: `finding.${finding.id}`, body: encodeJson(live) }]);
  metrics.findings.inc({ kind: finding.kind });
}

async function findingOf(bus: Bus, group: string, message: Message, reason: string): Promise<FindingBody> {
  const { subject: run, position, id, timeMs } = message;
  const memory = await memoryOf(bus, run);
  const place = placeOf(message);
  const { attempt = memory?.attempt ?? 1, step = memory?.step ?? 0 } = place;
  const short = reason.length > maxReasonCharacters ? `${reason.slice(0, maxReasonCharacters)}…` : reason;
  const letter = `records/${group}/${run}/${position}`;
  return {
    id: `${run}.${attempt}.dead_letter.${step}.${position}-${group}`,
    run,
    attempt,
    step,
    onset: step,
    kind: 'dead_letter',
    detail: group,
    provisional: false,
    severity: 'warning',
    evidence: { letter, record: id, reason: short },
    text: place.isMeasurement === true ? ofSnapshot(short, letter) : ofRecord(place.step, group, short, letter),
    timeMs,
    runName: memory?.attached.name ?? '',
    project: memory?.attached.project || 'default',
  };
}

function ofRecord(step: number | undefined, group: string, reason: string, letter: string): string {
  const what = step === undefined ? 'A message' : `A record at step ${step}`;
  return (
    `${what} was set aside by the ${group}, ${losses[group] ?? 'it was not worked on'}: ${reason}. ` +
    `It is kept: 'stagewatch dead-letters show ${letter}' shows it, retry tries it again, drop forgets it.`
  );
}

/** The letter only says what became of the snapshot: to try it again would measure nothing. */
function ofSnapshot(reason: string, letter: string): string {
  return (
    `A snapshot was set aside, there are no readings of it: ${reason}. The run goes on without it; later snapshots are ` +
    `measured. 'stagewatch dead-letters drop ${letter}' takes this off the list.`
  );
}

interface Place {
  readonly attempt?: number;
  readonly step?: number;
  /** It says what became of a snapshot. */
  readonly isMeasurement?: boolean;
}

/** Where in the run the record stood; nothing when it cannot be read. */
function placeOf(message: Message): Place {
  try {
    const { attempt, record, measured } = decode(message);
    return { attempt, ...(record !== undefined && { step: record.step }), isMeasurement: measured !== undefined };
  } catch {
    return {};
  }
}

async function memoryOf(bus: Bus, run: string): Promise<RunMemory | undefined> {
  const judge = bus.groups().find(({ stream, name }) => stream === 'records' && name === 'judge');
  const state = await judge?.group.state(run);
  return state === undefined ? undefined : decodeMemory(state)?.memory;
}

/** How many messages each group holds aside. */
export async function countDeadLetters(bus: Bus, metrics: Metrics): Promise<void> {
  for (const { stream, name, group } of bus.groups()) {
    metrics.deadLettersHeld.set({ stream, group: name }, await group.deadLetterCount());
  }
}
