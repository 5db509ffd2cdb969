import { decodeJson, encodeJson } from '#bus/messages.js';
import type { RunMemory } from './memory.js';
import { nothingOutstanding } from './outstanding.js';
import type { PendingStep } from './pending-steps.js';

/**
 * The memory as it is committed, and as an earlier version of the service committed it: that one measured a snapshot before
 * it went past it, so nothing was outstanding.
 */
interface MemoryOfVersion1 extends Omit<RunMemory, 'version' | 'pending' | 'outstanding' | 'awaited' | 'leavingOut'> {
  readonly version: 1;
  readonly pending: {
    readonly waiting: readonly { readonly step: number; readonly readings: PendingStep['logged']; readonly measured: boolean }[];
    readonly judged: number;
  };
}

export function encodeMemory(memory: RunMemory): Uint8Array {
  return encodeJson(memory);
}

/** Undefined for a state that this version does not know: nothing may be read into it. */
export function decodeMemory(bytes: Uint8Array): { readonly memory: RunMemory; readonly migrated: boolean } | undefined {
  const saved = decodeJson<RunMemory | MemoryOfVersion1 | { readonly version?: unknown } | null>(bytes);
  if (saved === null || typeof saved !== 'object') return undefined;
  // What came later means nothing where it lacks.
  if (saved.version === 2)
    return { memory: { awaited: [], message: '', ...(saved as Partial<RunMemory>) } as RunMemory, migrated: false };
  return saved.version === 1 ? { memory: fromVersion1(saved as MemoryOfVersion1), migrated: true } : undefined;
}

function fromVersion1({ pending, ...rest }: MemoryOfVersion1): RunMemory {
  const waiting = pending.waiting.map(({ step, readings, measured }) => ({
    step,
    // Which of them were measured is not known any more; nothing is measured of these steps again, so it does not matter.
    logged: readings,
    measured: {},
    taken: measured,
    outstanding: [],
  }));
  return {
    ...rest,
    message: '',
    version: 2,
    pending: { waiting, closed: pending.judged },
    outstanding: nothingOutstanding,
    awaited: [],
    leavingOut: false,
  };
}
