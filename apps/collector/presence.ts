import type { Bus } from '#bus/bus.js';
import type { Logger } from '#runtime/logging.js';
import { PeriodicTask } from '#runtime/periodic.js';
import { encodeEnvelope } from '#wire/envelope.js';
import type { PresenceState } from '#wire/generated/messages.js';
import { isSettled, type Identity } from './identity.js';
import type { RunRegistry } from './run-registry.js';
import { StallWatch } from './stall-watch.js';

export interface PresenceOptions {
  readonly bus: Bus;
  readonly registry: RunRegistry;
  readonly lostAfterMs: number;
  readonly now: () => number;
  readonly logger: Logger;
}

/**
 * Says when a writer falls silent without an end or with snapshots to come, and when it speaks again. The time that this service was away or stood
 * still does not count: after it, every writer has the whole time again to be heard.
 */
export class Presence {
  private readonly task: PeriodicTask;
  private readonly stalls: StallWatch;
  /** Changes of one writer, one after the other. */
  private readonly changing = new Map<string, Promise<void>>();

  constructor(private readonly options: PresenceOptions) {
    const intervalMs = Math.min(5000, Math.max(20, options.lostAfterMs / 10));
    this.stalls = new StallWatch({
      intervalMs,
      lateMs: options.lostAfterMs / 4,
      now: options.now,
      stalled: (ms) => options.logger.warn({ stalledMs: Math.round(ms) }, 'this service stood still; nobody is lost for that'),
    });
    this.task = new PeriodicTask({ name: 'presence', intervalMs, logger: options.logger }, () => this.look());
  }

  async start(): Promise<void> {
    await this.options.registry.load();
    this.stalls.start();
    this.task.start();
  }

  async close(): Promise<void> {
    this.stalls.close();
    await this.task.close();
    await Promise.allSettled(this.changing.values());
  }

  /** A sign of life; said before the records that carried it, if the writer was lost. */
  alive(identity: Identity): Promise<void> | void {
    const silentMs = this.options.now() - identity.seenMs;
    identity.touch(this.options.now());
    if (identity.state.lost || this.changing.has(identity.key)) return this.change(identity, false, silentMs);
  }

  /** Resolves when nothing is on its way that would be said of a run. */
  async quiet(runId: string): Promise<void> {
    const changes = [...this.changing].filter(([key]) => key.startsWith(`${runId}.`));
    await Promise.allSettled(changes.map(([, change]) => change));
  }

  private async look(): Promise<void> {
    const { registry, lostAfterMs, now } = this.options;
    for (const identity of await registry.all()) {
      const silentMs = now() - Math.max(identity.seenMs, this.stalls.lastEndMs());
      if (isSettled(identity.state) || identity.outdated) registry.release(identity);
      else if (silentMs > lostAfterMs) await this.change(identity, true, silentMs);
    }
  }

  private change(identity: Identity, lost: boolean, silentMs: number): Promise<void> {
    const before = this.changing.get(identity.key) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(() => this.apply(identity, lost, silentMs));
    this.changing.set(identity.key, turn);
    const forget = (): void => {
      if (this.changing.get(identity.key) === turn) this.changing.delete(identity.key);
    };
    turn.then(forget, forget);
    return turn;
  }

  /** Publishes first and saves then: after a crash in between the same message is published again, under the same id. */
  private async apply(identity: Identity, lost: boolean, silentMs: number): Promise<void> {
    const { place, state } = identity;
    if (identity.gone || state.lost === lost || (lost && isSettled(state))) return;
    const episode = lost ? state.episode + 1 : state.episode;
    const word: PresenceState = lost ? 'PRESENCE_STATE_LOST' : 'PRESENCE_STATE_RETURNED';
    const presence = { state: word, silentMs: Math.round(silentMs), step: state.step };
    await this.options.bus.publish('records', [
      {
        subject: place.runId,
        id: `${lost ? 'lost' : 'returned'}.${place.attempt}.${place.rank}.${episode}`,
        body: encodeEnvelope({ ...place, receivedTimeMs: Date.now(), presence }),
      },
    ]);
    identity.state = { ...identity.state, lost, episode };
    await this.options.registry.save(identity);
    this.options.logger.info({ run: place.runId, step: state.step, silentMs: presence.silentMs }, lost ? 'lost' : 'returned');
  }
}
