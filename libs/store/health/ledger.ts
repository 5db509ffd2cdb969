import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { StagewatchError } from '#runtime/errors.js';

const damage = z.object({
  table: z.string(),
  part: z.string(),
  what: z.enum(['broken', 'missing']),
  rows: z.number().optional(),
});

const schema = z.object({
  version: z.literal(1),
  parts: z.array(z.object({ table: z.string(), name: z.string(), rows: z.number() })),
  /** Parts may have gone on purpose after this was written. */
  erasing: z.boolean(),
  /** Found before, and not accepted. */
  damage: z.array(damage),
  /** `table/part` of what somebody has accepted as lost. */
  accepted: z.array(z.string()),
});

/** What the store remembers of itself, in a file beside its folder. */
export type Ledger = Omit<z.infer<typeof schema>, 'version'>;

export const emptyLedger: Ledger = { parts: [], erasing: false, damage: [], accepted: [] };

export class LedgerFile {
  private written = '';

  constructor(readonly path: string) {}

  /** Undefined when there is none: a new store, or one of a time before there were ledgers. */
  read(): Ledger | undefined {
    if (!existsSync(this.path)) return undefined;
    try {
      return schema.parse(JSON.parse(readFileSync(this.path, 'utf8')));
    } catch (error) {
      throw new StagewatchError('UNAVAILABLE', `${this.path} cannot be read; it remembers what the store holds`, {}, error);
    }
  }

  /** The old one stays until the new one is whole. */
  write(ledger: Ledger): void {
    const text = `${JSON.stringify({ version: 1, ...ledger })}\n`;
    if (text === this.written) return;
    const fresh = `${this.path}.new`;
    writeFileSync(fresh, text, { flush: true });
    renameSync(fresh, this.path);
    this.written = text;
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
