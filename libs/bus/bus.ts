/**
 * The bus: durable, ordered work. One contract for several implementations.
 *
 * A *stream* is an append-only log of messages, each with a *subject* (for us: a run) and a position that grows over
 * the whole stream. A *group* works through a stream subject by subject: at any time one worker holds the lease of a
 * subject, gets its messages in order, and commits the position it has finished **together with its state**, so that
 * work and memory of the work cannot come apart. A *tail* reads without a lease and leaves no trace.
 */
export interface Bus {
  /**
   * Resolves when every message is durable, all of them or none. A message whose id is known in its subject is not stored
   * again: known are the ids of messages that are kept, and at least the newest 4096 of each subject that are not.
   * Throws {@link BusFull} when there is no space; nothing is stored then, and trying again later is right. So may
   * every other call that writes: `take`, `commit`, `reject`, `put`.
   */
  publish(stream: string, messages: readonly OutgoingMessage[]): Promise<readonly PublishResult[]>;
  /**
   * Declares a group (idempotent). A message of a `work` stream is kept until every declared group has committed past it:
   * declare all groups of a stream before the first of them takes. One that comes later starts at the oldest kept message.
   */
  group(stream: string, name: string, options?: Partial<GroupOptions>): Promise<Group>;
  /** All groups that were ever declared. */
  groups(): readonly DeclaredGroup[];
  /** Messages after `after` (exclusive), then live ones. `subject` narrows to one subject. */
  tail(stream: string, options: TailOptions): AsyncIterable<Message>;
  /** Position of the newest message of a stream; 0 when it never had one. */
  head(stream: string): Promise<number>;
  /** Position before the oldest message that is still kept: a tail from an older cursor has missed something. */
  floor(stream: string): Promise<number>;
  kv(bucket: string): KeyValue;
  /** Removes every message, lease, state and dead letter of a subject, in all streams. */
  deleteSubject(subject: string): Promise<void>;
  /** Throws when the bus cannot take a message now. */
  check(): Promise<void>;
  /** Writes a copy of everything, as it is at one moment, to a file that does not exist yet; work goes on meanwhile. */
  copyTo(path: string): Promise<void>;
  /** Ends a group: what only it has not finished goes, with its states and dead letters. False when there is none of that name. */
  removeGroup(stream: string, name: string): Promise<boolean>;
  close(): Promise<void>;
}

/** `work`: kept until all groups are past it. `recent`: the newest are kept, for tails. */
export interface StreamOptions {
  readonly retention: 'work' | 'recent';
  /** For `recent`. */
  readonly maxMessages?: number;
  /** For `recent`: of all its messages together. */
  readonly maxBytes?: number;
  /** Comes from outside: refused while space is short, so that what finishing needs is left. The others go on to the end. */
  readonly intake?: boolean;
}

/** The streams of the house. */
export const streams = {
  /** Records as probes sent them; subject = run id. Groups: `ledger`, `judge`. */
  records: { retention: 'work', intake: true },
  /** Findings that are in ClickHouse; subject = run id. Group: `alerts`. */
  findings: { retention: 'work' },
  /** What changed, after it is in ClickHouse; subject = run id. Tailed by the dashboard. */
  live: { retention: 'recent', maxMessages: 20_000, maxBytes: 64 * 1024 ** 2 },
  /** Wishes to probes; subject = run id. Tailed by the collector. */
  control: { retention: 'recent', maxMessages: 10_000, maxBytes: 8 * 1024 ** 2 },
} as const satisfies Record<string, StreamOptions>;

export interface OutgoingMessage {
  readonly subject: string;
  /** Unique within its subject, at most 200 bytes. */
  readonly id: string;
  readonly body: Uint8Array;
}

export interface PublishResult {
  readonly position: number;
  readonly duplicate: boolean;
}

export interface Message {
  readonly subject: string;
  readonly id: string;
  readonly body: Uint8Array;
  readonly position: number;
  /** When it became durable, milliseconds since the epoch, by the service's clock. */
  readonly timeMs: number;
}

export interface GroupOptions {
  readonly leaseMs: number;
  /** After so many deliveries of the same first message without a commit it becomes a dead letter. */
  readonly maxDeliveries: number;
}

export interface TakeOptions {
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** Waits so long for work before it answers undefined. */
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

export interface Group {
  /** Leases one subject that has uncommitted messages and that nobody holds; the longest waiting first. */
  take(options: TakeOptions): Promise<Lease | undefined>;
  /** The state last committed for a subject. */
  state(subject: string): Promise<Uint8Array | undefined>;
  deadLetters(): Promise<readonly DeadLetter[]>;
  deadLetterCount(): Promise<number>;
  /**
   * A dead letter goes through this group once more, in a lease of its own: until that is committed or rejected it comes
   * again, afterwards not. Other groups do not see it, and the position of its subject stays. False when it is not there.
   */
  retryDeadLetter(ref: DeadLetterRef): Promise<boolean>;
  /** Forgets a dead letter for good. False when it is not there. */
  dropDeadLetter(ref: DeadLetterRef): Promise<boolean>;
  depth(): Promise<{ readonly messages: number; readonly oldestTimeMs: number | undefined }>;
}

export interface Lease {
  readonly subject: string;
  /** In order, from the first uncommitted one; never empty. */
  readonly messages: readonly Message[];
  /** How often the first message has been delivered, this time included. */
  readonly deliveries: number;
  /** What the last commit of this subject left. */
  readonly state: Uint8Array | undefined;
  /**
   * Finishes all messages up to `position` and saves `state` in one step. The lease stays until `release`, and runs anew.
   * Throws {@link LeaseLost} when the lease expired or moved to another worker; nothing is saved then.
   */
  commit(position: number, state?: Uint8Array): Promise<void>;
  /** Long work calls this before the lease runs out. Throws {@link LeaseLost}. */
  extend(): Promise<void>;
  /** Gives the subject back; with a delay nobody gets it before. */
  release(delayMs?: number): Promise<void>;
  /** Sets one message aside with the reason, and commits past it. */
  reject(position: number, reason: string, state?: Uint8Array): Promise<void>;
}

export interface DeclaredGroup {
  readonly stream: string;
  readonly name: string;
  readonly group: Group;
  /** Somebody in this process has declared it; otherwise it is what another version or a tool left. */
  readonly atWork: boolean;
}

export interface DeadLetterRef {
  readonly subject: string;
  readonly position: number;
}

export interface DeadLetter {
  readonly message: Message;
  readonly reason: string;
  readonly timeMs: number;
}

export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

export class BusFull extends Error {
  override readonly name = 'BusFull';
}

/** Small durable values, each with a revision for compare-and-set. */
export interface KeyValue {
  get(key: string): Promise<Entry | undefined>;
  /** `expectedRevision` 0 means: only if absent. Answers undefined when the revision differs. */
  put(key: string, value: Uint8Array, expectedRevision?: number): Promise<number | undefined>;
  delete(key: string): Promise<void>;
  entries(prefix?: string): AsyncIterable<Entry>;
}

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

export interface TailOptions {
  readonly after: number;
  readonly subject?: string;
  readonly signal?: AbortSignal;
}
