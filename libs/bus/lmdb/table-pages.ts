import type { Table, Tables } from './tables.js';

/** What LMDB knows of a table without reading it; its types say nothing. */
interface Stats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  /** Of the whole file. */
  readonly lastTxnId: number;
}

/** Bytes of the pages of one table. */
export function tableBytes(table: Table): number {
  const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = statsOf(table);
  return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages);
}

/** Bytes of all pages that hold something. */
export function usedBytes(tables: Tables): number {
  let bytes = 0;
  for (const [name, table] of Object.entries(tables)) if (name !== 'root') bytes += tableBytes(table as Table);
  return bytes;
}

export function lastTransaction(tables: Tables): number {
  return statsOf(tables.meta).lastTxnId;
}

function statsOf(table: Table): Stats {
  return table.getStats() as Stats;
}
