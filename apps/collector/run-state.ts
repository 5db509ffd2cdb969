import type { KeyValue } from '#bus/bus.js';
import { decodeJson } from '#bus/messages.js';
import type { AttachRunRequest, LossConvention } from '#wire/generated/messages.js';
import type { Place } from './identity.js';

/** What is durable about a run. */
export interface RunState {
  readonly name: string;
  readonly createdMs: number;
  /** The newest one. */
  readonly attempts: number;
  /** Of the newest attempt. */
  readonly loss: LossConvention | null;
  /** SHA-256 of what its own job shows to take it up; runs of before there were secrets have none. */
  readonly secrets?: readonly string[];
}

export function newRun(request: AttachRunRequest, place: Place): RunState {
  return { name: request.name, createdMs: Date.now(), attempts: place.attempt, loss: request.loss };
}

export async function read<T>(bucket: KeyValue, key: string): Promise<T | undefined> {
  const entry = await bucket.get(key);
  return entry === undefined ? undefined : decodeJson<T>(entry.value);
}
