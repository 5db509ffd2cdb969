/** Where a process writes: one rank of one attempt of one run. */
export interface Place {
  readonly runId: string;
  readonly attempt: number;
  readonly rank: number;
}

export const placeKey = ({ runId, attempt, rank }: Place): string => `${runId}.${attempt}.${rank}`;

/** What is durable about one writer. Never ahead of the bus: it is saved after the records that it speaks of. */
export interface IdentityState {
  readonly instanceId: string;
  readonly nextSequence: number;
  /** Newest step. */
  readonly step: number;
  readonly ended: boolean;
  /** Snapshots that were announced and have neither come nor been withdrawn. */
  readonly awaited?: number;
  /** Silent for longer than the limit, and the bus knows it. */
  readonly lost: boolean;
  /** How often it was lost; makes the ids of presence messages the same on every try. */
  readonly episode: number;
}

/** Nothing more is expected of a writer: it is lost, or has ended, and all the snapshots that it announced are there. */
export function isSettled({ ended, lost, awaited = 0 }: IdentityState): boolean {
  return lost || (ended && awaited === 0);
}

/** One writer, in memory. There is one object a place, however many streams come and go. */
export class Identity {
  readonly key: string;
  /** Monotonic, of the last sign of life. */
  seenMs: number;
  /** Monotonic, of the last time that somebody asked for this writer. */
  usedMs: number;
  /** The stream that is open now. */
  session: { supersede(): Promise<void>; send(control: object): void; fail(error: unknown): void } | undefined;
  /** A later attempt has begun: silence means nothing any more. */
  outdated = false;
  /** The run was deleted: nothing of this writer is kept any more. */
  gone = false;

  constructor(
    readonly place: Place,
    public state: IdentityState,
    nowMs: number,
  ) {
    this.key = placeKey(place);
    this.seenMs = nowMs;
    this.usedMs = nowMs;
  }

  touch(nowMs: number): void {
    this.seenMs = nowMs;
  }
}
