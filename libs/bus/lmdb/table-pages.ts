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
export function usedBytes({ root, ...tables }: Tables): number {
  return Object.values(tables).reduce((sum, table) => sum + tableBytes(table), 0);
}

export function lastTransaction(tables: Tables): number {
  return statsOf(tables.meta).lastTxnId;
}

function statsOf(table: Table): Stats {
  return table.getStats() as Stats;
}
