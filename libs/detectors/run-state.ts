import type { Detector, Finding, RunEvent, Step } from './detector.js';
import { count } from './text.js';

/** `lost`, `resumed`, `gap`, `failed`: what happened to the run itself. Whether silence is too long is for others: no clock here. */
export interface RunStateState {
  readonly lost: boolean;
}

export const runState: Detector<RunStateState> = {
  name: 'run_state',
  needs: 'logged',
  initial: () => ({ lost: false }),
  onEvent,
};

function onEvent(state: RunStateState, event: RunEvent): Step<RunStateState> {
  return { state: { lost: isLost(state, event) }, findings: findingsOf(state, event) };
}

function isLost(state: RunStateState, { kind }: RunEvent): boolean {
  return kind === 'lost' || (kind === 'gap' && state.lost);
}

function findingsOf(state: RunStateState, event: RunEvent): readonly Finding[] {
  if (event.kind === 'lost') return state.lost ? [] : [lost(event)];
  if (event.kind === 'returned') return state.lost ? [returned(event)] : [];
  if (event.kind === 'resumed') return [resumed(event)];
  if (event.kind === 'gap') return [gap(event)];
  return [...(state.lost ? [heardAtItsEnd(event)] : []), ...(event.status === 'failed' ? [failed(event)] : [])];
}

type EventOf<Kind extends RunEvent['kind']> = Extract<RunEvent, { kind: Kind }>;

function lost({ step, silentMs, lastHeardMs }: EventOf<'lost'>): Finding {
  return {
    ...base(step),
    kind: 'lost',
    severity: 'warning',
    evidence: { silent_ms: silentMs, last_heard_ms: lastHeardMs, last_step: step },
    text: `step ${step}: nothing was heard from the job for ${seconds(silentMs)}; last at ${utc(lastHeardMs)}, at step ${step}`,
  };
}

function returned({ step, silentMs }: EventOf<'returned'>): Finding {
  return {
    ...base(step),
    kind: 'resumed',
    detail: 'returned',
    severity: 'info',
    evidence: { silent_ms: silentMs },
    text: `step ${step}: the job speaks again after ${seconds(silentMs)}`,
  };
}

/** What the job still had to say came later, such as from its spool. */
function heardAtItsEnd({ step, status }: EventOf<'ended'>): Finding {
  return {
    ...base(step),
    kind: 'resumed',
    detail: 'returned',
    severity: 'info',
    evidence: { status },
    text: `step ${step}: the job was heard again, it has ${status === 'finished' ? 'finished' : `ended (${status})`}`,
  };
}

function failed({ step, status, message }: EventOf<'ended'>): Finding {
  const [words = ''] = message.trim().split('\n');
  return {
    ...base(step),
    kind: 'failed',
    severity: 'critical',
    evidence: { status, message },
    text: `step ${step}: the job failed${words === '' ? ', without a word of why' : `: ${words}`}`,
  };
}

function resumed({ step, attempt }: EventOf<'resumed'>): Finding {
  return {
    ...base(step),
    kind: 'resumed',
    detail: 'attempt',
    severity: 'info',
    evidence: { attempt },
    text: `step ${step}: attempt ${attempt} took up the run`,
  };
}

function gap({ step, points, snapshots, records, reason }: EventOf<'gap'>): Finding {
  const missing = [
    ...(points > 0 ? [count(points, 'point')] : []),
    ...(snapshots > 0 ? [count(snapshots, 'snapshot')] : []),
    ...(records > 0 ? [count(records, 'record')] : []),
  ];
  const what = missing.length === 0 ? 'something' : missing.join(', ');
  return {
    ...base(step),
    kind: 'gap',
    detail: reason,
    severity: 'warning',
    evidence: { points, snapshots, records },
    text: `step ${step}: ${what} left out${reason === '' ? '' : ` (${reason})`}`,
  };
}

function base(step: number): { step: number; onset: number; provisional: false } {
  return { step, onset: step, provisional: false };
}

/** To the second. */
function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
