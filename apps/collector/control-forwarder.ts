import type { Bus } from '#bus/bus.js';
import { decodeJson, type ControlBody } from '#bus/messages.js';
import type { Logger } from '#runtime/logging.js';
import type { Input } from '#wire/codec.js';
import type { Control } from '#wire/generated/messages.js';
import type { Identity } from './identity.js';

/** A wish for a snapshot "now" that is older than this has lost its sense. */
const nowMeansMs = 30_000;
/** Runs whose standing wishes are remembered. */
const maxRemembered = 10_000;

interface Wish {
  readonly control: Input<Control>;
  readonly timeMs: number;
}

export interface ControlOptions {
  readonly bus: Bus;
  readonly logger: Logger;
  /** Writers of a run that have a stream open. */
  readonly listeners: (runId: string) => Iterable<Identity>;
  /** The run is gone for good. */
  readonly onDeleted: (runId: string) => Promise<void>;
}

/** Carries wishes from the bus to the streams. Standing ones (cadence, stop) also reach a probe that connects later,
 * and one for a snapshot now reaches the first that connects soon. */
export class ControlForwarder {
  private readonly stopping = new AbortController();
  private readonly standing = new Map<string, Map<string, Wish>>();
  private readonly forgetting = new Set<Promise<void>>();
  private loop: Promise<void> | undefined;

  constructor(private readonly options: ControlOptions) {}

  async start(): Promise<void> {
    const after = await this.options.bus.floor('control');
    this.loop = this.follow(after).catch((error: unknown) => {
      if (!this.stopping.signal.aborted) this.options.logger.error({ err: error }, 'wishes to probes are no longer forwarded');
    });
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.loop;
    await Promise.all(this.forgetting);
  }

  /** What a run has been asked for and should still do. */
  greet(identity: Identity): void {
    const wishes = this.standing.get(identity.place.runId);
    for (const [kind, { control, timeMs }] of wishes ?? []) {
      const isNow = kind === 'snapshot-now';
      // Asked for once, given once.
      if (isNow) wishes?.delete(kind);
      if (!isNow || Date.now() - timeMs <= nowMeansMs) identity.session?.send({ control });
    }
  }

  forget(runId: string): void {
    this.standing.delete(runId);
  }

  private async follow(after: number): Promise<void> {
    for await (const message of this.options.bus.tail('control', { after, signal: this.stopping.signal })) {
      const body = decodeJson<ControlBody>(message.body);
      if (body.kind === 'run-deleted') {
        this.deleted(message.subject);
        continue;
      }
      const control = toControl(body);
      const listeners = [...this.options.listeners(message.subject)];
      if (body.kind !== 'snapshot-now' || listeners.length === 0) {
        this.remember(message.subject, body.kind, { control, timeMs: message.timeMs });
      }
      for (const identity of listeners) identity.session?.send({ control });
    }
  }

  /** Many runs may go at once, and one may have to wait for its last upload: side by side, and wishes go on. */
  private deleted(runId: string): void {
    const work = this.options
      .onDeleted(runId)
      .catch((error: unknown) => this.options.logger.error({ err: error, run: runId }, 'a deleted run could not be forgotten'))
      .finally(() => this.forgetting.delete(work));
    this.forgetting.add(work);
  }

  private remember(runId: string, kind: string, wish: Wish): void {
    let wishes = this.standing.get(runId);
    if (wishes === undefined) this.standing.set(runId, (wishes = new Map()));
    wishes.set(kind, wish);
    const oldest = this.standing.keys().next();
    if (this.standing.size > maxRemembered && oldest.done !== true) this.standing.delete(oldest.value);
  }
}

function toControl(body: Exclude<ControlBody, { kind: 'run-deleted' }>): Input<Control> {
  switch (body.kind) {
    case 'snapshot-now':
      return { snapshotNow: { reason: body.reason } };
    case 'cadence':
      return { cadence: { ...body, untilStep: body.untilStep ?? 0, forMs: body.forMs ?? 0 } };
    case 'stop-sending':
      return { stopSending: { reason: body.reason } };
    default:
      // A newer analyzer may wish for what this collector does not know.
      return {};
  }
}
