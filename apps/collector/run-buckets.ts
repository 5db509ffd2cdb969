import type { Bus } from '#bus/bus.js';
import { decodeJson } from '#bus/messages.js';
import type { IdentityState, Place } from './identity.js';
import { read } from './run-state.js';

/** Buckets of this room on the bus. */
export const buckets = {
  runs: 'collector-runs',
  instances: 'collector-instances',
  identities: 'collector-identities',
  metrics: 'collector-metrics',
} as const;

/** Removes what this room keeps of a run. */
export async function forgetRun(bus: Bus, runId: string): Promise<void> {
  const instances = bus.kv(buckets.instances);
  const identities = bus.kv(buckets.identities);
  // The run comes last: as long as it is there, this has not been done.
  for await (const { key, value } of identities.entries(`${runId}.`)) {
    const { instanceId } = decodeJson<IdentityState>(value);
    if ((await read<Place>(instances, instanceId))?.runId === runId) await instances.delete(instanceId);
    await identities.delete(key);
  }
  await bus.kv(buckets.metrics).delete(runId);
  await bus.kv(buckets.runs).delete(runId);
}
