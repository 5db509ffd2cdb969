import { randomUUID } from 'node:crypto';
import { Session } from 'chdb';
import { database } from '../database.js';
import { statementClasses, type ClassName, type StatementClass } from './classes.js';
import { EngineError } from './engine-error.js';
import type { EngineOptions } from './options.js';
import { Slots } from './slots.js';
import type { Statement } from './statement.js';

/** A statement that was told to stop is told again until it does. */
const killEveryMs = 250;
/** Parameters make it longer than the engine reads unless it is told to. */
const maxPreludeLength = 100_000;
const longestStatement = 64 * 1024 ** 2;

/**
 * The engine in this process. Every statement has a connection of its own, which costs a millisecond: settings, parameters,
 * the current database, and what a failed query had written already, end with it.
 */
export class Engine {
  private readonly classes: Readonly<Record<ClassName, StatementClass>>;
  private readonly slots: ReadonlyMap<ClassName, Slots>;
  private readonly keeper: Session;
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
    this.keeper = this.connect();
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
    const mark = randomUUID();
    const stopKilling = this.killOnAbort(mark, signal);
    let session: Session | undefined;
    try {
      session = this.connect();
      const prelude = this.prelude(statement, mark);
      if (prelude.length > maxPreludeLength) await session.queryAsync(`SET max_query_size = ${longestStatement}`);
      await session.queryAsync(prelude);
      const format = { format: statement.format };
      if (statement.inParts) {
        for await (const chunk of session.queryStream(statement.sql, { ...format, signal })) yield chunk.raw();
      } else yield (await session.queryAsync(statement.sql, format)).bytes();
    } finally {
      stopKilling();
      session?.close();
      giveBack();
      this.running.delete(end);
      ended?.();
    }
  }

  /** When everything that runs has ended. */
  async close(): Promise<void> {
    await Promise.all(this.running);
    this.keeper.close();
  }

  private connect(): Session {
    return new Session(this.options.path, { connectionArgs: [`--config-file=${this.configPath}`] });
  }

  /** What the statement's connection is before the statement comes. */
  private prelude({ className, database: asked, settings, parameters }: Statement, mark: string): string {
    const { log_comment: comment = '', ...others } = settings;
    const given = Object.entries(others).map(([name, value]) => `${name} = ${literal(value)}`);
    const bound = Object.entries(parameters).map(([name, value]) => `SET param_${name} = ${literal(value)}`);
    const all = [...given, `log_comment = ${literal(`${mark} ${comment}`.trim())}`];
    return [
      // It is not there before the first migration.
      ...(asked === undefined || asked === 'default' ? [] : [`USE ${asked === database ? database : identifier(asked)}`]),
      `SET ${all.join(', ')}`,
      ...bound,
      // One by one: `profile` changes what the next may be, and `readonly` ends all changing.
      ...this.classes[className].bounds.map((bound) => `SET ${bound}`),
    ].join('; ');
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

function literal(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function identifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
