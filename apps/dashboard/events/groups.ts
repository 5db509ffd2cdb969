/** `GET /api/groups` */
export interface GroupsAnswer {
  readonly groups: readonly GroupBody[];
}

export interface GroupBody {
  readonly stream: string;
  readonly name: string;
  /** Messages that wait for it. */
  readonly messages: number;
  /** Milliseconds since the epoch, of the oldest of them. */
  readonly oldestMs?: number;
  /** Somebody works in its name; otherwise it only holds messages back. */
  readonly atWork: boolean;
}
