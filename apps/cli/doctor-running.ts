import type { AlertRulesAnswer } from '#dashboard/events/alerts.js';
import type { DeadLettersAnswer } from '#dashboard/events/dead-letters.js';
import type { Config } from '#runtime/config.js';
import { ServiceClient } from './client.js';
import type { Check } from './doctor-checks.js';
import { ago } from './table.js';

/** A receiver that fails for shorter may be about to come back. */
const failingMs = 60 * 60 * 1000;

/** What a service on these ports holds aside, and whom it cannot tell; nothing is wrong where none runs. */
export async function checkRunning({ host, ports }: Config): Promise<readonly Check[]> {
  const client = new ServiceClient(`http://${host.includes(':') ? `[${host}]` : host}:${ports.http}`);
  return [await checked('dead letters', () => deadLetters(client)), await checked('alerts', () => alerts(client))];
}

async function deadLetters(client: ServiceClient): Promise<Omit<Check, 'name'>> {
  const { held, deadLetters } = await client.get<DeadLettersAnswer>('/api/dead-letters?limit=1');
  if (held === 0) return { ok: true, detail: 'nothing is set aside' };
  const newest = deadLetters[0] === undefined ? '' : ` (the newest: ${deadLetters[0].reason})`;
  return { ok: false, detail: `${held} set aside${newest}; see 'stagewatch dead-letters list'` };
}

async function alerts(client: ServiceClient): Promise<Omit<Check, 'name'>> {
  const { rules } = await client.get<AlertRulesAnswer>('/api/alerts/rules');
  const failing = rules.filter(({ receiver }) => Date.now() - (receiver?.failingSinceMs ?? Infinity) > failingMs);
  if (failing.length === 0) return { ok: true, detail: `${rules.length} rules, no receiver has failed for an hour` };
  const named = failing.map(
    ({ name, receiver }) => `'${name}' since ${ago(receiver!.failingSinceMs!)} (${receiver!.error ?? ''})`,
  );
  return { ok: false, detail: `receivers fail: ${named.join('; ')}` };
}

async function checked(name: string, ask: () => Promise<Omit<Check, 'name'>>): Promise<Check> {
  try {
    return { name, ...(await ask()) };
  } catch (error) {
    return { name, ok: true, detail: `not known: ${error instanceof Error ? error.message : String(error)}` };
  }
}
