import type {
  Bus,
  DeclaredGroup,
  Entry,
  Group,
  KeyValue,
  Message,
  OutgoingMessage,
  PublishResult,
  TailOptions,
} from '#bus/bus.js';

/** A bus in memory, with what the dashboard uses of one: publishing, tails, and values. Keeps the newest messages of a stream. */
export class MemoryBus implements Bus {
  private readonly logs = new Map<string, { messages: Message[]; head: number; floor: number; ids: Set<string> }>();
  private readonly buckets = new Map<string, MemoryKeyValue>();
  private readonly wakers = new Set<() => void>();

  constructor(private readonly options: { readonly keep?: number } = {}) {}

  async publish(stream: string, messages: readonly OutgoingMessage[]): Promise<readonly PublishResult[]> {
    const log = this.log(stream);
    const results = messages.map(({ subject, id, body }) => {
      const known = `${subject}/${id}`;
      if (log.ids.has(known)) return { position: log.head, duplicate: true };
      log.ids.add(known);
      log.messages.push({ subject, id, body, position: ++log.head, timeMs: Date.now() });
      return { position: log.head, duplicate: false };
    });
    const over = log.messages.length - (this.options.keep ?? 200_000);
    if (over > 0) log.floor = log.messages.splice(0, over).at(-1)!.position;
    this.wake();
    return results;
  }

  async *tail(stream: string, options: TailOptions): AsyncGenerator<Message> {
    const { signal, subject } = options;
    const log = this.log(stream);
    let after = options.after;
    const wake = (): void => this.wake();
    signal?.addEventListener('abort', wake);
    try {
      while (signal?.aborted !== true) {
        const next = log.messages[firstAfter(log.messages, after)];
        if (next === undefined) {
          await new Promise<void>((resolve) => this.wakers.add(resolve));
          continue;
        }
        after = next.position;
        if (subject === undefined || next.subject === subject) yield next;
      }
    } finally {
      signal?.removeEventListener('abort', wake);
    }
  }

  head(stream: string): Promise<number> {
    return Promise.resolve(this.log(stream).head);
  }

  floor(stream: string): Promise<number> {
    return Promise.resolve(this.log(stream).floor);
  }

  kv(bucket: string): KeyValue {
    let found = this.buckets.get(bucket);
    if (found === undefined) this.buckets.set(bucket, (found = new MemoryKeyValue()));
    return found;
  }

  deleteSubject(subject: string): Promise<void> {
    for (const log of this.logs.values()) log.messages = log.messages.filter((message) => message.subject !== subject);
    return Promise.resolve();
  }

  group(): Promise<Group> {
    return Promise.reject(new Error('The bus in memory has no groups.'));
  }

  groups(): readonly DeclaredGroup[] {
    return [];
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  copyTo(): Promise<void> {
    return Promise.reject(new Error('The bus in memory cannot be copied.'));
  }

  removeGroup(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(): Promise<void> {
    this.wake();
    return Promise.resolve();
  }

  private log(stream: string): { messages: Message[]; head: number; floor: number; ids: Set<string> } {
    let log = this.logs.get(stream);
    if (log === undefined) this.logs.set(stream, (log = { messages: [], head: 0, floor: 0, ids: new Set() }));
    return log;
  }

  private wake(): void {
    for (const resolve of this.wakers) resolve();
    this.wakers.clear();
  }
}

function firstAfter(messages: readonly Message[], position: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle]!.position <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

class MemoryKeyValue implements KeyValue {
  private readonly values = new Map<string, Entry>();
  private revision = 0;

  get(key: string): Promise<Entry | undefined> {
    return Promise.resolve(this.values.get(key));
  }

  put(key: string, value: Uint8Array, expectedRevision?: number): Promise<number | undefined> {
    const current = this.values.get(key)?.revision ?? 0;
    if (expectedRevision !== undefined && expectedRevision !== current) return Promise.resolve(undefined);
    this.values.set(key, { key, value, revision: ++this.revision });
    return Promise.resolve(this.revision);
  }

  delete(key: string): Promise<void> {
    this.values.delete(key);
    return Promise.resolve();
  }

  async *entries(prefix = ''): AsyncGenerator<Entry> {
    for (const entry of this.values.values()) if (entry.key.startsWith(prefix)) yield entry;
  }
}
