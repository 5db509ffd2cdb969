/**
 * The file format of LMDB as far as it takes to walk one without mapping it (`mdb.c` of lmdb 3.5: data version 2, 64 bits,
 * little-endian). Page numbers fit into a double.
 */
export const pageHeaderBytes = 24;
export const metaMagic = 0xbeefc0de;
export const dataVersion = 2;

export const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;
export const nodeFlags = { big: 0x01, tree: 0x02, duplicates: 0x04 } as const;
/** Root of an empty tree. */
export const noPage = 0xffffffffffffffffn;

/** One tree of pages. */
export interface Tree {
  readonly depth: number;
  readonly entries: number;
  /** Undefined when it is empty. */
  readonly root: number | undefined;
}

/** The last state that was committed, as one of the first two pages tells it. */
export interface Meta {
  readonly pageBytes: number;
  readonly free: Tree;
  readonly main: Tree;
  readonly lastPage: number;
  readonly transaction: number;
}

export interface Node {
  /** Of a branch: the page below. */
  readonly child: number;
  /** Of a leaf. */
  readonly dataBytes: number;
  readonly flags: number;
  /** Where the data begins in the page, and where what is stored here of it ends. */
  readonly dataAt: number;
  readonly end: number;
}

export const treeBytes = 48;

export function readTree(bytes: Buffer, at: number): Tree {
  const root = bytes.readBigUInt64LE(at + 40);
  return {
    depth: bytes.readUInt16LE(at + 6),
    entries: Number(bytes.readBigUInt64LE(at + 32)),
    root: root === noPage ? undefined : Number(root),
  };
}

/** Undefined when the page is no meta page. */
export function readMeta(page: Buffer): Meta | undefined {
  const at = pageHeaderBytes;
  if (page.length < at + 136) return undefined;
  if ((page.readUInt16LE(18) & pageFlags.meta) === 0) return undefined;
  if (page.readUInt32LE(at) !== metaMagic || (page.readUInt32LE(at + 4) & 0xffff) !== dataVersion) return undefined;
  return {
    pageBytes: page.readUInt32LE(at + 24),
    free: readTree(page, at + 24),
    main: readTree(page, at + 24 + treeBytes),
    lastPage: Number(page.readBigUInt64LE(at + 120)),
    transaction: Number(page.readBigUInt64LE(at + 128)),
  };
}

export function readNode(page: Buffer, at: number, isBranch: boolean): Node {
  const low = page.readUInt32LE(at);
  const flags = page.readUInt16LE(at + 4);
  const keyBytes = page.readUInt16LE(at + 6);
  const dataAt = at + 8 + keyBytes;
  if (isBranch) return { child: low + flags * 2 ** 32, dataBytes: 0, flags: 0, dataAt, end: dataAt };
  return { child: 0, dataBytes: low, flags, dataAt, end: dataAt + ((flags & nodeFlags.big) === 0 ? low : 24) };
}
