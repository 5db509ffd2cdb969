import { randomUUID } from 'node:crypto';
import type { Session } from 'chdb';
import { quote } from '../quote.js';
import type { Statement } from './statement.js';

/** Parameters make it longer than the engine reads unless it is told to. */
const maxPreludeLength = 100_000;
const longestStatement = 64 * 1024 ** 2;

/** Where every connection begins; the database of the house is not there before the first migration. */
export const beginning = 'default';

type Wished = Pick<Statement, 'settings' | 'parameters'>;

/**
 * One connection of the engine, for one statement at a time. Settings stay with a connection, so it knows what it was told and
 * tells the engine what the next statement wants otherwise, which for the house is next to nothing.
 */
export class Connection {
  /** Stands in the comment of all its statements, by which they are found when one is to be ended. */
  readonly mark = randomUUID();
  uses = 0;
  private isBegun = false;
  private readonly settings = new Map<string, string>();

  constructor(
    readonly session: Session,
    /** Where it stays: not everybody may use the one that it began in. */
    readonly database: string,
    /** What a statement brings never changes them. */
    private readonly bounds: readonly string[],
  ) {}

  async prepare(statement: Wished): Promise<void> {
    this.uses++;
    const prelude = this.prelude(statement);
    if (prelude.length === 0) return;
    const text = prelude.join('; ');
    if (text.length > maxPreludeLength) await this.session.queryAsync(`SET max_query_size = ${longestStatement}`);
    await this.session.queryAsync(text);
  }

  close(): void {
    this.session.close();
  }

  private prelude({ settings, parameters }: Wished): readonly string[] {
    const given = [
      ...this.changesOf(settings),
      ...Object.entries(parameters).map(([name, value]) => `SET param_${name} = ${quote(value)}`),
    ];
    if (this.isBegun) return given;
    this.isBegun = true;
    const place = this.database === beginning ? [] : [`USE ${identifier(this.database)}`];
    // One by one: `profile` changes what the next may be, and `readonly` ends all changing.
    return [...place, ...given, ...this.bounds.map((bound) => `SET ${bound}`)];
  }

  private changesOf({ log_comment: comment = '', ...given }: Readonly<Record<string, string>>): readonly string[] {
    // Bounds win.
    const wanted = new Map(Object.entries(given).filter(([name]) => !this.isBound(name)));
    wanted.set('log_comment', `${this.mark} ${comment}`.trim());
    const changes: string[] = [];
    for (const name of this.settings.keys()) {
      if (wanted.has(name)) continue;
      this.settings.delete(name);
      changes.push(`SET ${name} = DEFAULT`);
    }
    for (const [name, value] of wanted) {
      if (this.settings.get(name) === value) continue;
      this.settings.set(name, value);
      changes.push(`SET ${name} = ${quote(value)}`);
    }
    return changes;
  }

  private isBound(name: string): boolean {
    return this.bounds.some((bound) => bound.startsWith(`${name} =`));
  }
}

function identifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
