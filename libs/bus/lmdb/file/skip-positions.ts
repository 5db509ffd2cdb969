import { readPosition, writePosition } from '../keys.js';
import { openTables } from '../tables.js';

/** More messages than any bus has between two copies. */
const skipped = 1_000_000_000;

/**
 * A bus that goes back to an earlier state would give out positions a second time, and rows of ClickHouse that carry a position
 * as their version would win over newer ones. So every stream goes on far behind its head.
 */
export async function skipPositions(folder: string): Promise<void> {
  const tables = openTables(folder, 2 ** 30);
  try {
    const rows = [...tables.heads.getRange()];
    await tables.root.transaction(() => {
      for (const { key, value } of rows) {
        const row = Buffer.from(value);
        writePosition(row, readPosition(row, 0) + skipped, 0);
        void tables.heads.put(key, row);
      }
    });
  } finally {
    await tables.root.close();
  }
}
