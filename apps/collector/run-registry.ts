import { decodeJson, encodeJson } from '#bus/messages.js';
import type { Bus, KeyValue } from '#bus/bus.js';
import { newId, runIdPattern } from '#runtime/ids.js';
import { encodeEnvelope } from '#wire/envelope.js';
import type { AttachRunRequest, LossConvention } from '#wire/generated/messages.js';
import { checkKey, refuse } from './checks.js';
import { Identity, isSettled, placeKey, type IdentityState, type Place } from './identity.js';
import { buckets, forgetRun } from './run-buckets.js';
import { deletedRun } from './run-guard.js';
import { RunOwnership } from './run-ownership.js';
import { newRun, read, type RunState } from './run-state.js';

export interface RegistryOptions {
  readonly bus: Bus;
  /** Silence after which a writer counts as lost. */
  readonly lostAfterMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export interface Attachment {
  readonly identity: Identity;
  /** What the caller shows to take the run up while it is live; empty for one that is no owner of it. */
  readonly runSecret: string;
}

/** A writer that nobody has asked for so long may leave the memory. */
const unusedMs = 60_000;

/** Who may write where. Everything here is durable before it is answered. */
export class RunRegistry {
  private readonly runs: KeyValue;
  private readonly instances: KeyValue;
  private readonly identities: KeyValue;
  private readonly metrics: KeyValue;
  private readonly ownership: RunOwnership;
  private readonly open = new Map<string, Promise<Identity | undefined>>();
  private readonly names = new Map<string, Promise<Set<string>>>();
  /** Attaching is rare and has several steps: one at a time. */
  private attaching: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: RegistryOptions) {
    const { bus } = options;
    this.runs = bus.kv(buckets.runs);
    this.instances = bus.kv(buckets.instances);
    this.identities = bus.kv(buckets.identities);
    this.metrics = bus.kv(buckets.metrics);
    const { lostAfterMs } = options;
    this.ownership = new RunOwnership({ runs: this.runs, lostAfterMs, silenceOf: (runId) => this.silenceOf(runId) });
  }

  /** Begins a run, an attempt, or a further rank; for a known instance it only completes what was begun. */
  attach(request: AttachRunRequest): Promise<Attachment> {
    const turn = this.attaching.then(() => this.attachNow(request));
    this.attaching = turn.catch(() => undefined);
    return turn;
  }

  private async attachNow(request: AttachRunRequest): Promise<Attachment> {
    const known = await read<Place>(this.instances, request.instanceId);
    const place = known ?? (await this.claim(request));
    await this.runs.put(place.runId, encodeJson(newRun(request, place)), 0);
    const runSecret = await this.ownership.secretFor(request, place, known === undefined);
    const identity = await this.identity(place);
    if (identity === undefined) throw new Error(`identity ${placeKey(place)} is gone`);
    await this.options.bus.publish('records', [
      {
        subject: place.runId,
        id: `attach.${place.attempt}.${place.rank}`,
        body: encodeEnvelope({ ...place, receivedTimeMs: Date.now(), attached: withoutSecrets(request) }),
      },
    ]);
    await this.outdate(place);
    identity.touch(this.options.now());
    return { identity, runSecret };
  }

  private async claim(request: AttachRunRequest): Promise<Place> {
    const place = request.resumeRunId === '' ? newPlace(request) : await this.nextPlace(request);
    const claimed = await this.claimIdentity(place, request.instanceId);
    if (!claimed) {
      refuse('IDENTITY_IN_USE', 'another process writes as this rank of this attempt', {
        field: 'rank',
        value: String(place.rank),
        expected: 'a rank that nobody has, or no join_attempt',
      });
    }
    await this.instances.put(request.instanceId, encodeJson(place), 0);
    return place;
  }

  /** A crash in here leaves at worst an attempt number that nobody uses. */
  private async nextPlace(request: AttachRunRequest): Promise<Place> {
    const { resumeRunId: runId, joinAttempt, rank } = request;
    for (;;) {
      const entry = runIdPattern.test(runId) ? await this.runs.get(runId) : undefined;
      if (entry === undefined) refuse('UNKNOWN_RUN', 'there is no such run', { field: 'resume_run_id', value: runId });
      const run = decodeJson<RunState>(entry.value);
      await this.ownership.assertFree(request, run);
      if (joinAttempt !== undefined) {
        if (joinAttempt < 1 || joinAttempt > run.attempts) {
          refuse('UNKNOWN_ATTEMPT', 'the run has no such attempt', {
            field: 'join_attempt',
            value: String(joinAttempt),
            expected: `1 to ${run.attempts}`,
          });
        }
        return { runId, attempt: joinAttempt, rank };
      }
      const attempt = run.attempts + 1;
      const next = encodeJson({ ...run, attempts: attempt, loss: request.loss });
      if ((await this.runs.put(runId, next, entry.revision)) !== undefined) return { runId, attempt, rank };
    }
  }

  /** How long nothing has been heard of the newest attempt; undefined when nothing is expected of it any more. */
  private async silenceOf(runId: string): Promise<number | undefined> {
    let newest = 0;
    let silentMs: number | undefined;
    for await (const { key, value } of this.identities.entries(`${runId}.`)) {
      const attempt = Number(key.split('.')[1]);
      if (attempt < newest) continue;
      if (attempt > newest) silentMs = undefined;
      newest = attempt;
      // What is in memory is newer than what is saved.
      const identity = await this.open.get(key);
      const { ended, lost } = identity?.state ?? decodeJson<IdentityState>(value);
      if (ended || lost) continue;
      const silent = identity === undefined ? 0 : this.options.now() - identity.seenMs;
      silentMs = Math.min(silentMs ?? silent, silent);
    }
    return silentMs;
  }

  private async claimIdentity(place: Place, instanceId: string): Promise<boolean> {
    const state: IdentityState = { instanceId, nextSequence: 1, step: 0, ended: false, lost: false, episode: 0 };
    if ((await this.identities.put(placeKey(place), encodeJson(state), 0)) !== undefined) return true;
    const holder = await read<IdentityState>(this.identities, placeKey(place));
    return holder?.instanceId === instanceId;
  }

  private async outdate(place: Place): Promise<void> {
    for (const pending of this.open.values()) {
      const identity = await pending;
      if (identity?.place.runId === place.runId && identity.place.attempt < place.attempt) identity.outdated = true;
    }
  }

  /** The identity that a caller claims to be; refuses what is unknown and what belongs to another. */
  async authorize(claimed: Place & { readonly instanceId: string }): Promise<Identity> {
    const run = runIdPattern.test(claimed.runId) ? await read<RunState>(this.runs, claimed.runId) : undefined;
    if (run === undefined) refuse('UNKNOWN_RUN', 'there is no such run', { field: 'run_id', value: claimed.runId });
    if (claimed.attempt < 1 || claimed.attempt > run.attempts) {
      refuse('UNKNOWN_ATTEMPT', 'the run has no such attempt', {
        field: 'attempt',
        value: String(claimed.attempt),
        expected: `1 to ${run.attempts}`,
      });
    }
    const identity = await this.identity(claimed);
    if (identity === undefined) {
      refuse('NOT_FOUND', 'nobody attached as this rank', {
        field: 'rank',
        value: String(claimed.rank),
        expected: 'an attached rank',
      });
    }
    if (identity.state.instanceId !== claimed.instanceId) {
      refuse('IDENTITY_IN_USE', 'this rank of this attempt belongs to another process', {
        field: 'instance_id',
        value: claimed.instanceId,
        expected: 'the instance id that attached',
      });
    }
    return identity;
  }

  /** The writer behind an instance id, for calls that do not name their rank. */
  async authorizeInstance(claimed: {
    readonly runId: string;
    readonly attempt: number;
    readonly instanceId: string;
  }): Promise<Identity> {
    checkKey(claimed.instanceId, 'instance_id');
    const place = await read<Place>(this.instances, claimed.instanceId);
    const rank = place?.runId === claimed.runId && place.attempt === claimed.attempt ? place.rank : 0;
    return this.authorize({ runId: claimed.runId, attempt: claimed.attempt, rank, instanceId: claimed.instanceId });
  }

  /** The loss that a run said it steps on. */
  async lossOf(runId: string): Promise<LossConvention | null> {
    return (await read<RunState>(this.runs, runId))?.loss ?? null;
  }

  private async identity(place: Place): Promise<Identity | undefined> {
    const identity = await this.identityOf(place);
    if (identity !== undefined) identity.usedMs = this.options.now();
    return identity;
  }

  private identityOf(place: Place): Promise<Identity | undefined> {
    const key = placeKey(place);
    let pending = this.open.get(key);
    if (pending === undefined) {
      pending = Promise.all([read<IdentityState>(this.identities, key), read<RunState>(this.runs, place.runId)]).then(
        ([state, run]) => {
          if (state === undefined) {
            this.open.delete(key);
            return undefined;
          }
          const identity = new Identity(pick(place), state, this.options.now());
          identity.outdated = run !== undefined && place.attempt < run.attempts;
          return identity;
        },
      );
      pending.catch(() => this.open.delete(key));
      this.open.set(key, pending);
    }
    return pending;
  }

  async save(identity: Identity): Promise<void> {
    if (identity.gone) return;
    await this.identities.put(identity.key, encodeJson(identity.state));
  }

  /** All writers that may still speak, of the newest attempt of their run. Called once, at the start. */
  async load(): Promise<void> {
    for await (const { key, value } of this.identities.entries()) {
      if (isSettled(decodeJson<IdentityState>(value))) continue;
      const [runId = '', attempt, rank] = key.split('.');
      const identity = await this.identity({ runId, attempt: Number(attempt), rank: Number(rank) });
      const run = await read<RunState>(this.runs, runId);
      // Without a run: its attach broke off before it was answered.
      if (identity !== undefined) identity.outdated = run === undefined || identity.place.attempt < run.attempts;
    }
  }

  /** Writers in memory. */
  async all(): Promise<Identity[]> {
    const identities = await Promise.all(this.open.values());
    return identities.filter((identity) => identity !== undefined);
  }

  /** Names of scalars that a run has used. */
  metricsOf(runId: string): Promise<Set<string>> {
    let pending = this.names.get(runId);
    if (pending === undefined) {
      pending = read<string[]>(this.metrics, runId).then((names) => new Set(names));
      pending.catch(() => this.names.delete(runId));
      this.names.set(runId, pending);
    }
    return pending;
  }

  async saveMetrics(runId: string, names: ReadonlySet<string>): Promise<void> {
    await this.metrics.put(runId, encodeJson([...names]));
  }

  /** Lets go of a writer that has no stream and of which nothing is expected: what is durable of it is read again when it comes back. */
  release(identity: Identity): void {
    if (identity.session !== undefined || !(isSettled(identity.state) || identity.outdated)) return;
    // Somebody may be about to open a stream for it: there must be one object a place.
    if (this.options.now() - identity.usedMs < unusedMs) return;
    this.open.delete(identity.key);
    const { runId } = identity.place;
    const isWatched = [...this.open.keys()].some((key) => key.startsWith(`${runId}.`));
    if (!isWatched) this.names.delete(runId);
  }

  /** Ends the streams of a run. */
  async expel(runId: string): Promise<void> {
    for (const identity of await this.all()) {
      if (identity.place.runId !== runId) continue;
      identity.gone = true;
      identity.session?.fail(deletedRun(runId));
    }
  }

  /** Removes every trace of a run that this room keeps. Not while somebody attaches, who would bring it back. */
  forget(runId: string): Promise<void> {
    const turn = this.attaching.then(async () => {
      for (const [key] of this.open) if (key.startsWith(`${runId}.`)) this.open.delete(key);
      this.names.delete(runId);
      await forgetRun(this.options.bus, runId);
    });
    this.attaching = turn.catch(() => undefined);
    return turn;
  }
}

/** This message is for everybody who works on records; what a job proves itself with is not. */
const withoutSecrets = (request: AttachRunRequest): AttachRunRequest => ({ ...request, instanceId: '', runSecret: '' });

function newPlace(request: AttachRunRequest): Place {
  return { runId: newId('r'), attempt: 1, rank: request.rank };
}

const pick = ({ runId, attempt, rank }: Place): Place => ({ runId, attempt, rank });
