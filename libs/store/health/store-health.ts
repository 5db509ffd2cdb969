import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StagewatchError } from '#runtime/errors.js';
import type { Logger } from '#runtime/logging.js';
import { PeriodicTask } from '#runtime/periodic.js';
import type { Reader } from '../clickhouse-client.js';
import { emptyLedger, type Ledger, type LedgerFile } from './ledger.js';
import { describeDamage, findDamage, type Damage, type DetachedPart, type Part } from './parts.js';

const rememberEveryMs = 10_000;

export interface StoreHealthOptions {
  readonly reader: Reader;
  readonly file: LedgerFile;
  readonly logger: Logger;
  /** What is lost now is accepted as lost. */
  readonly acceptDataLoss: boolean;
}

/**
 * Compares what the database serves with what it was seen to hold the last time. The engine sets a broken part aside
 * without a word, and of a part that is gone nothing is left that could complain.
 */
export class StoreHealth {
  private ledger: Ledger = emptyLedger;
  /** Under way, and how many have begun so far. */
  private erasures = 0;
  private erasuresBegun = 0;
  private readonly task: PeriodicTask;

  private constructor(private readonly options: StoreHealthOptions) {
    this.task = new PeriodicTask({ name: 'store health', intervalMs: rememberEveryMs, logger: options.logger }, () =>
      this.remember(),
    );
  }

  static async start(options: StoreHealthOptions): Promise<StoreHealth> {
    const health = new StoreHealth(options);
    await health.examine();
    health.task.start();
    return health;
  }

  get damage(): readonly string[] {
    return this.ledger.damage.map(asDamage).map(describeDamage);
  }

  /** Throws while something is lost that nobody has accepted as lost. */
  check(): void {
    const [first, ...others] = this.damage;
    if (first === undefined) return;
    const more = others.length === 0 ? '' : `, and ${others.length} more`;
    throw new StagewatchError(
      'UNAVAILABLE',
      `the store is damaged: ${first}${more}; the rest is served. 'stagewatch doctor --data DIR' tells all, 'stagewatch up --accept-data-loss' goes on without`,
    );
  }

  /** Parts that go while this is under way go on purpose, even when it is broken off. */
  async erasing<T>(work: () => Promise<T>): Promise<T> {
    this.erasures++;
    this.erasuresBegun++;
    this.writeIfPossible({ ...this.ledger, erasing: true });
    try {
      return await work();
    } finally {
      this.erasures--;
      const isStillTrue = this.watchErasures();
      const parts = await activeParts(this.options.reader).catch(() => undefined);
      if (parts !== undefined && isStillTrue()) this.writeIfPossible({ ...this.ledger, parts: [...parts], erasing: false });
    }
  }

  async close(): Promise<void> {
    await this.task.close();
    // A database that is away cannot be asked; what was remembered before holds.
    await this.remember().catch(() => undefined);
  }

  private async examine(): Promise<void> {
    const { reader, file, logger, acceptDataLoss } = this.options;
    const before = file.read() ?? emptyLedger;
    const parts = await activeParts(reader);
    const detached = await detachedParts(reader);
    const remembered = before.erasing ? [] : before.parts;
    const found = findDamage(remembered, parts, detached).filter((damage) => !before.accepted.includes(keyOf(damage)));
    const known = new Set(found.map(keyOf));
    const all = [...found, ...before.damage.map(asDamage).filter((damage) => !known.has(keyOf(damage)))];
    for (const damage of all) logger.error({ ...damage, accepted: acceptDataLoss }, describeDamage(damage));
    this.write({
      parts: [...parts],
      erasing: false,
      damage: acceptDataLoss ? [] : all,
      accepted: acceptDataLoss ? [...before.accepted, ...all.map(keyOf)] : before.accepted,
    });
  }

  private async remember(): Promise<void> {
    const { reader, logger } = this.options;
    if (this.erasures > 0) return;
    const isStillTrue = this.watchErasures();
    const parts = await activeParts(reader);
    const known = new Set([...this.ledger.accepted, ...this.ledger.damage.map((d) => keyOf(asDamage(d)))]);
    // The engine may have been started again, and have set aside what it found broken.
    const found = findDamage([], parts, await detachedParts(reader)).filter((damage) => !known.has(keyOf(damage)));
    for (const damage of found) logger.error({ ...damage }, describeDamage(damage));
    if (!isStillTrue()) return;
    this.write({ ...this.ledger, parts: [...parts], erasing: false, damage: [...this.ledger.damage, ...found] });
  }

  /** Whether what was seen after this is still to be remembered: nothing has been erased since, or is being erased. */
  private watchErasures(): () => boolean {
    const begun = this.erasuresBegun;
    return () => this.erasures === 0 && this.erasuresBegun === begun;
  }

  /** On a full disk, to erase is right. */
  private writeIfPossible(ledger: Ledger): void {
    try {
      this.write(ledger);
    } catch (error) {
      this.options.logger.warn({ err: error }, 'what the store holds could not be noted');
    }
  }

  private write(ledger: Ledger): void {
    this.ledger = ledger;
    this.options.file.write(ledger);
  }
}

function asDamage(damage: Ledger['damage'][number]): Damage {
  return { ...damage, rows: damage.rows };
}

function keyOf({ table, part }: Damage): string {
  return `${table}/${part}`;
}

export async function activeParts(reader: Reader): Promise<readonly Part[]> {
  const rows = await reader.rows(
    `SELECT table, name, rows FROM system.parts WHERE database = currentDatabase() AND active AND rows > 0 ORDER BY table, name`,
  );
  return rows.map((row) => ({ table: String(row[0]), name: String(row[1]), rows: Number(row[2]) }));
}

export async function detachedParts(reader: Reader): Promise<readonly DetachedPart[]> {
  const rows = await reader.rows(
    `SELECT table, name, path FROM system.detached_parts WHERE database = currentDatabase() ORDER BY table, name`,
  );
  return rows.map((row) => ({ table: String(row[0]), name: String(row[1]), rows: countOf(String(row[2])) }));
}

/** Every part keeps its number of rows in a file of its own. */
function countOf(folder: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, 'count.txt'), 'utf8'));
  } catch {
    return undefined;
  }
}
