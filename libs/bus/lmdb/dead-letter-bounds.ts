import { deadLetterTime } from './dead-letter-row.js';
import { tableBytes } from './table-pages.js';
import type { Tables } from './tables.js';
import type { Writer } from './writer.js';

/** Not again at the next letter. */
const cutTo = 0.9;

/** Removes the oldest dead letters, of all groups, until the others have at most `maxBytes`; answers how many went. */
export async function trimDeadLetters({ dead }: Tables, writer: Writer, maxBytes: number): Promise<number> {
  if (tableBytes(dead) <= maxBytes) return 0;
  const letters = Array.from(dead.getRange(), ({ key, value }) => ({
    key,
    timeMs: deadLetterTime(value),
    bytes: key.length + value.length,
  }));
  let bytes = letters.reduce((sum, letter) => sum + letter.bytes, 0);
  if (bytes <= maxBytes) return 0;
  const gone: Buffer[] = [];
  for (const letter of letters.sort((a, b) => a.timeMs - b.timeMs)) {
    if (bytes <= maxBytes * cutTo) break;
    bytes -= letter.bytes;
    gone.push(letter.key);
  }
  await writer.write((batch) => {
    for (const key of gone) batch.remove(dead, key);
  });
  return gone.length;
}
