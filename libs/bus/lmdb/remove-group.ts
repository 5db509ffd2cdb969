import { letterTables } from './dead-letters.js';
import { groupMetaKey, type LmdbGroup } from './group.js';
import { after, indexKey, progressKey, readPosition, subjectKey } from './keys.js';
import type { StreamLog } from './stream-log.js';
import type { Tables } from './tables.js';
import type { Writer } from './writer.js';

const chunk = 2000;

export interface GroupRemoval {
  readonly tables: Tables;
  readonly writer: Writer;
  readonly log: StreamLog;
  readonly number: number;
  readonly name: string;
  /** The groups that stay. */
  readonly others: readonly LmdbGroup[];
}

/**
 * Removes what a group kept, then the messages that nobody but it still had to read, and last its name: broken off, it is
 * there at the next start and can be removed again.
 */
export async function removeGroupRows(removal: GroupRemoval): Promise<void> {
  const { tables, writer, log, number, name } = removal;
  const prefix = progressKey(log.number, number, 0).subarray(0, 4);
  for (const table of [tables.progress, tables.states, ...letterTables(tables)]) {
    for (let found = chunk; found === chunk;) {
      found = await writer.write((batch) => {
        const keys = Array.from(table.getKeys({ start: prefix, end: after(prefix), limit: chunk }));
        for (const key of keys) batch.remove(table, key);
        return keys.length;
      });
    }
  }
  for (const subject of Array.from(log.marks.keys())) await eraseFinished(removal, subject);
  await writer.write((batch) => batch.remove(tables.meta, groupMetaKey(log.number, name)));
}

async function eraseFinished({ tables, writer, log, others }: GroupRemoval, subject: number): Promise<void> {
  if (log.options.retention !== 'work') return;
  for (let more = true; more;) {
    more = await writer.write((batch) => {
      const last = log.marks.get(subject)?.last ?? 0;
      const finished = others.reduce((least, group) => Math.min(least, group.position(subject)), last);
      const range = {
        start: indexKey(log.number, subject, log.erased(subject) + 1),
        end: after(subjectKey(log.number, subject)),
      };
      const position = Array.from(tables.index.getKeys({ ...range, limit: chunk }), (key) => readPosition(key, 6)).at(-1);
      if (position === undefined || log.erased(subject) >= finished) return false;
      log.erase(subject, Math.min(position, finished), batch);
      return position < finished;
    });
  }
}
