import { Session } from 'chdb';
import { statementClasses, type ClassName, type StatementClass } from './classes.js';
import { beginning, Connection } from './connection.js';
import { EngineError } from './engine-error.js';
import type { EngineOptions } from './options.js';
import { Slots } from './slots.js';
import type { Statement } from './statement.js';

/** A statement that was told to stop is told again until it does. */
const killEveryMs = 250;

/**
 * The engine in this process. A statement has a connection to itself while it runs. Those of strangers end with it, as do those
 * of statements that failed or were given up: what a failed query had written already would come with the next answer.
 */
export class Engine {
  private readonly classes: Readonly<Record<ClassName, StatementClass>>;
  private readonly slots: ReadonlyMap<ClassName, Slots>;
  private readonly keeper: Session;
  private readonly idle: Readonly<Record<ClassName, Connection[]>> = { writer: [], eraser: [], page: [], gate: [], foreign: [] };
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly options: EngineOptions,
    private readonly configPath: string,
  ) {
    this.classes = statementClasses(options.limits);
    this.slots = new Map(
      Object.entries(this.classes).map(([name, { slots, maxWaiting }]) => [name as ClassName, new Slots(slots, maxWaiting)]),
    );
    // The database stays open as long as one connection is.
    this.keeper = this.open();
  }

  async version(): Promise<string> {
    return (await this.keeper.queryAsync('SELECT version()', { format: 'TSVRaw' })).text().trim();
  }

  /** The answer in one or more parts. It ends in the engine too when the signal comes. */
  async *run(statement: Statement, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const giveBack = await this.slots.get(statement.className)!.take(signal);
    if (giveBack === undefined) throw new EngineError(202, 'Too many queries wait already', 'TOO_MANY_SIMULTANEOUS_QUERIES');
    let ended: (() => void) | undefined;
    const end = new Promise<void>((resolve) => (ended = resolve));
    this.running.add(end);
    let connection: Connection | undefined;
    let stopKilling: (() => void) | undefined;
    let isWhole = false;
    try {
      connection = this.connect(statement);
      stopKilling = this.killOnAbort(connection.mark, signal);
      await connection.prepare(statement);
      const { session } = connection;
      const format = { format: statement.format };
      if (statement.inParts) {
        for await (const chunk of session.queryStream(statement.sql, { ...format, signal })) yield chunk.raw();
      } else yield (await session.queryAsync(statement.sql, format)).bytes();
      isWhole = !signal.aborted;
    } finally {
      stopKilling?.();
      if (connection !== undefined) this.putBack(statement.className, connection, isWhole);
      giveBack();
      this.running.delete(end);
      ended?.();
    }
  }

  /** When everything that runs has ended. */
  async close(): Promise<void> {
    await Promise.all(this.running);
    for (const connection of Object.values(this.idle).flat()) connection.close();
    this.keeper.close();
  }

  private connect({ className, database = beginning }: Statement): Connection {
    const idle = this.idle[className];
    const place = idle.findIndex((connection) => connection.database === database);
    const [known] = place < 0 ? [] : idle.splice(place, 1);
    return known ?? new Connection(this.open(), database, this.classes[className].bounds);
  }

  private putBack(className: ClassName, connection: Connection, isWhole: boolean): void {
    if (isWhole && connection.uses < this.classes[className].statementsPerConnection) this.idle[className].push(connection);
    else connection.close();
  }

  private open(): Session {
    return new Session(this.options.path, { connectionArgs: [`--config-file=${this.configPath}`] });
  }

  /** The driver gives a query up between two parts of its result at best; the engine itself ends it at once. */
  private killOnAbort(mark: string, signal: AbortSignal): () => void {
    let timer: NodeJS.Timeout | undefined;
    const kill = (): void => {
      const sql = `KILL QUERY WHERE startsWith(Settings['log_comment'], '${mark}') ASYNC`;
      // A kill that fails is repeated below, until the statement has ended.
      void this.keeper.queryAsync(sql).catch(() => undefined);
    };
    const begin = (): void => {
      kill();
      timer = setInterval(kill, killEveryMs);
    };
    if (signal.aborted) begin();
    else signal.addEventListener('abort', begin, { once: true });
    return () => {
      signal.removeEventListener('abort', begin);
      clearInterval(timer);
    };
  }
}
