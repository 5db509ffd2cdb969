import type { Blobs } from '#blobs/blobs.js';
import type { Bus, Group, KeyValue, Lease } from '#bus/bus.js';
import type { Measurer } from '../measure/measurer.js';
import type { MemoryStore } from './memory-store.js';

/**
 * Counts the operations that change something outside, and ends the process, as it were, at one of them: either before
 * it is done, or when it is done and nobody has been told. From then on nothing is done and nothing is answered.
 */
export class CrashPoint {
  operations = 0;
  crashed = false;
  private resolve: () => void = () => undefined;
  readonly whenCrashed = new Promise<void>((resolve) => (this.resolve = resolve));

  constructor(
    private readonly at: number,
    private readonly after: boolean,
  ) {}

  async through<T>(operation: () => Promise<T>): Promise<T> {
    const here = ++this.operations === this.at;
    if (this.crashed || (here && !this.after)) return this.crash();
    const result = await operation();
    // The compiler does not see that another operation may have ended the process meanwhile.
    const gone: boolean = this.crashed;
    return here || gone ? this.crash() : result;
  }

  private crash<T>(): Promise<T> {
    this.crashed = true;
    this.resolve();
    return new Promise(() => undefined);
  }

  bus(bus: Bus): Bus {
    return {
      publish: (...args) => this.through(() => bus.publish(...args)),
      group: async (...args) => this.group(await bus.group(...args)),
      groups: () => bus.groups(),
      tail: (...args) => bus.tail(...args),
      head: (...args) => bus.head(...args),
      floor: (...args) => bus.floor(...args),
      kv: (bucket) => this.keyValue(bus.kv(bucket)),
      deleteSubject: (...args) => this.through(() => bus.deleteSubject(...args)),
      check: () => bus.check(),
      copyTo: (path) => bus.copyTo(path),
      removeGroup: (stream, name) => bus.removeGroup(stream, name),
      close: () => bus.close(),
    };
  }

  blobs(blobs: Blobs): Blobs {
    return {
      upload: (...args) => this.through(() => blobs.upload(...args)),
      stat: (...args) => blobs.stat(...args),
      read: (...args) => blobs.read(...args),
      path: (name) => blobs.path(name),
      list: (...args) => blobs.list(...args),
      delete: (...args) => this.through(() => blobs.delete(...args)),
      deletePrefix: (...args) => this.through(() => blobs.deletePrefix(...args)),
      beginCopy: (folder) => blobs.beginCopy(folder),
      adopt: (name, path) => blobs.adopt(name, path),
      check: () => blobs.check(),
      close: () => blobs.close(),
    };
  }

  measurer(measurer: Measurer): Measurer {
    return {
      capacity: measurer.capacity,
      measure: (job, signal) => this.through(() => measurer.measure(job, signal)),
      close: () => measurer.close(),
    };
  }

  store(store: MemoryStore): MemoryStore {
    const crashing = Object.create(store) as MemoryStore;
    crashing.write = (table, rows) => this.through(() => store.write(table, rows));
    return crashing;
  }

  private group(group: Group): Group {
    return {
      take: async (options) => {
        const lease = await group.take(options);
        return lease && this.lease(lease);
      },
      state: (subject) => group.state(subject),
      deadLetters: () => group.deadLetters(),
      deadLetterCount: () => group.deadLetterCount(),
      retryDeadLetter: (ref) => group.retryDeadLetter(ref),
      dropDeadLetter: (ref) => group.dropDeadLetter(ref),
      depth: () => group.depth(),
    };
  }

  private lease(lease: Lease): Lease {
    const { subject, messages, deliveries, state } = lease;
    return {
      subject,
      messages,
      deliveries,
      state,
      commit: (...args) => this.through(() => lease.commit(...args)),
      extend: () => (this.crashed ? Promise.resolve() : lease.extend()),
      release: (...args) => (this.crashed ? Promise.resolve() : lease.release(...args)),
      reject: (...args) => this.through(() => lease.reject(...args)),
    };
  }

  private keyValue(bucket: KeyValue): KeyValue {
    return {
      get: (key) => bucket.get(key),
      put: (...args) => this.through(() => bucket.put(...args)),
      delete: (key) => this.through(() => bucket.delete(key)),
      entries: (prefix) => bucket.entries(prefix),
    };
  }
}
