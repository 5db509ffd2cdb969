import type { KeyValue } from '#bus/bus.js';
import { decodeJson, encodeJson } from '#bus/messages.js';
import type { AttachRunRequest } from '#wire/generated/messages.js';
import { refuse } from './checks.js';
import type { Place } from './identity.js';
import { isOneOf, makeSecret, withSecret } from './run-secret.js';
import type { RunState } from './run-state.js';

export interface OwnershipParts {
  readonly runs: KeyValue;
  /** Silence after which a writer counts as lost. */
  readonly lostAfterMs: number;
  /** How long nothing has been heard of a run's newest attempt; undefined when nothing is expected of it any more. */
  readonly silenceOf: (runId: string) => Promise<number | undefined>;
}

/** Losses are looked for now and then: no sooner is it worth asking again for a run that is taken. */
const minRetryMs = 1000;

/** Whose a live run is: whoever shows its secret. To be asked by one attachment at a time. */
export class RunOwnership {
  constructor(private readonly parts: OwnershipParts) {}

  /** A live run is its own job's: anybody else may take it up when it has ended or counts as lost. */
  async assertFree({ resumeRunId, runSecret }: AttachRunRequest, { secrets = [] }: RunState): Promise<void> {
    if (secrets.length === 0 || isOneOf(secrets, runSecret)) return;
    const silentMs = await this.parts.silenceOf(resumeRunId);
    if (silentMs === undefined) return;
    refuse('RUN_TAKEN', 'the run is live and belongs to another job', {
      field: 'run_secret',
      expected: 'the secret that its job was given; or wait until it has ended or counts as lost; or begin a run of its own',
      retryAfterMs: Math.max(minRetryMs, Math.round(this.parts.lostAfterMs - silentMs)),
    });
  }

  /**
   * What an attachment is answered with. Whoever showed none gets one of its own: the answer before may never have arrived,
   * and only digests are kept. A new owner's secret ends those of the owner before.
   */
  async secretFor(request: AttachRunRequest, place: Place, isNew: boolean): Promise<string> {
    const { runs } = this.parts;
    for (;;) {
      const entry = await runs.get(place.runId);
      if (entry === undefined) throw new Error(`run ${place.runId} is gone`);
      const run = decodeJson<RunState>(entry.value);
      const secrets = run.secrets ?? [];
      if (isOneOf(secrets, request.runSecret)) return request.runSecret;
      if (place.attempt < run.attempts || request.joinAttempt !== undefined) return '';
      const secret = request.runSecret === '' ? makeSecret() : request.runSecret;
      const next = encodeJson({ ...run, secrets: withSecret(isNew ? [] : secrets, secret) });
      if ((await runs.put(place.runId, next, entry.revision)) !== undefined) return secret;
    }
  }
}
