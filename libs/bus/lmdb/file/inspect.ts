import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  nodeFlags,
  pageFlags,
  pageHeaderBytes,
  readMeta,
  readNode,
  readTree,
  treeBytes,
  type Meta,
  type Tree,
} from './layout.js';

/** What a look at a file of the bus found. */
export interface FileReport {
  readonly bytes: number;
  /** Bytes of the pages that hold something, and of those that wait to be used again. */
  readonly usedBytes: number;
  readonly freeBytes: number;
  /** Grows with every commit. */
  readonly transaction: number;
  /** One sentence; undefined when the file is whole. */
  readonly damage: string | undefined;
}

class Damage extends Error {
  override readonly name = 'Damage';
}

/** A look at a large file lets others have their turn after so many pages. */
const pagesEachTurn = 4096;
const maxDepth = 32;
/** 16 TiB of pages of 4 KiB. */
const maxPages = 2 ** 32;
const metaReadBytes = 4096;

/**
 * Looks at a file of the bus without mapping it. LMDB believes every page number and every offset that a file
 * holds, so a damaged one ends the process with a signal. Here each page that can be reached is read and checked: its
 * number, its kind, the bounds of its entries, that it belongs to one place only, and that it is not on the list of free ones. What values hold
 * is not checked. Undefined when there is no such file. Nobody may write to the file meanwhile.
 */
export async function inspectFile(path: string): Promise<FileReport | undefined> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return await new Inspection(file, fstatSync(file).size).run();
  } finally {
    closeSync(file);
  }
}

class Inspection {
  private pageBytes = 0;
  private lastPage = 0;
  /** One bit a page: it is in use. */
  private used = new Uint8Array();
  private usedPages = 0;
  private freePages = 0;
  private looked = 0;

  constructor(
    private readonly file: number,
    private readonly bytes: number,
  ) {}

  async run(): Promise<FileReport> {
    let damage: string | undefined;
    let transaction = 0;
    try {
      const meta = await this.meta();
      transaction = meta.transaction;
      this.claim(0, 2, 'the first pages');
      await this.walk(meta.free, 'the list of free pages', (page, data) => this.freeList(page, data));
      await this.walk(meta.main, 'the table of tables');
      this.freed();
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      damage = error.message;
    }
    const { bytes, pageBytes } = this;
    return { bytes, usedBytes: this.usedPages * pageBytes, freeBytes: this.freePages * pageBytes, transaction, damage };
  }

  private async meta(): Promise<Meta> {
    const first = readMeta(await this.readAt(0, metaReadBytes));
    if (first === undefined) throw new Damage('its first page is not one of LMDB');
    this.pageBytes = first.pageBytes;
    if (!isPageSize(first.pageBytes)) throw new Damage(`its first page speaks of pages of ${first.pageBytes} bytes`);
    const second = readMeta(await this.readAt(first.pageBytes, metaReadBytes));
    if (second === undefined) throw new Damage('its second page is not one of LMDB');
    const meta = first.transaction >= second.transaction ? first : second;
    this.lastPage = meta.lastPage;
    if (!(meta.lastPage < maxPages)) throw new Damage(`it claims to have ${meta.lastPage} pages`);
    this.used = new Uint8Array(Math.ceil((meta.lastPage + 1) / 8));
    return meta;
  }

  private readonly lists: { readonly pages: number; readonly first: number }[] = [];

  /** One record of free pages: a count, then page numbers; a negative one is the length of a block that begins at the next. */
  private freeList(place: string, data: Buffer): void {
    const count = data.length < 8 ? -1 : Number(data.readBigInt64LE(0));
    if (count < 0 || (count + 1) * 8 > data.length) throw new Damage(`${place} holds a list that is longer than its entry`);
    for (let i = 1; i <= count; i++) {
      const entry = Number(data.readBigInt64LE(i * 8));
      if (entry === 0) continue;
      const pages = entry < 0 ? -entry : 1;
      const first = entry < 0 && i < count ? Number(data.readBigInt64LE(++i * 8)) : entry;
      if (first < 2 || first + pages > this.lastPage + 1) throw new Damage(`${place} frees page ${first}, which does not exist`);
      this.lists.push({ first, pages });
      this.freePages += pages;
    }
  }

  /** What is free is used by nobody. */
  private freed(): void {
    for (const { first, pages } of this.lists) this.claim(first, pages, 'the list of free pages', false);
  }

  private async walk(tree: Tree, name: string, entry?: (place: string, data: Buffer) => void): Promise<void> {
    if (tree.root === undefined) return;
    if (tree.depth > maxDepth) throw new Damage(`${name} claims to be ${tree.depth} pages deep`);
    const entries = await this.page(tree.root, tree.depth, name, entry);
    if (entries !== tree.entries) throw new Damage(`${name} has ${entries} entries where it should have ${tree.entries}`);
  }

  /** Answers how many entries lie below. */
  private async page(
    number: number,
    depth: number,
    name: string,
    entry: ((place: string, data: Buffer) => void) | undefined,
  ): Promise<number> {
    this.claim(number, 1, name);
    const place = `page ${number} of ${name}`;
    const page = await this.readAt(number * this.pageBytes, this.pageBytes);
    const isBranch = depth > 1;
    const kind = isBranch ? pageFlags.branch : pageFlags.leaf;
    if (Number(page.readBigUInt64LE(0)) !== number || (page.readUInt16LE(18) & 0x0f) !== kind)
      throw new Damage(`${place} is not the page that should be there`);
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    // Both count from behind the header.
    const body = this.pageBytes - pageHeaderBytes;
    if (lower % 2 !== 0 || lower > upper || upper > body) throw new Damage(`${place} has impossible bounds`);
    let entries = 0;
    for (let i = 0; i < lower / 2; i++) {
      const at = pageHeaderBytes + page.readUInt16LE(pageHeaderBytes + 2 * i);
      if (at < pageHeaderBytes + upper || at + 8 > this.pageBytes) throw new Damage(`${place} has an entry outside of itself`);
      const node = readNode(page, at, isBranch);
      if (node.end > this.pageBytes) throw new Damage(`${place} has an entry that ends outside of it`);
      if (isBranch) {
        entries += await this.page(node.child, depth - 1, name, entry);
        continue;
      }
      entries++;
      if ((node.flags & nodeFlags.duplicates) !== 0) throw new Damage(`${place} has an entry of an unknown kind`);
      if ((node.flags & nodeFlags.tree) !== 0) {
        if (node.dataBytes !== treeBytes) throw new Damage(`${place} has a table of ${node.dataBytes} bytes`);
        const table = page.toString('latin1', at + 8, node.dataAt).replaceAll('\0', '');
        await this.walk(readTree(page, node.dataAt), `table ${table}`);
      } else if ((node.flags & nodeFlags.big) !== 0) {
        const first = await this.large(page, node.dataAt, node.dataBytes, place);
        entry?.(place, await this.readAt(first * this.pageBytes + pageHeaderBytes, entry === undefined ? 0 : node.dataBytes));
      } else entry?.(place, page.subarray(node.dataAt, node.end));
    }
    return entries;
  }

  /** A value in pages of its own; answers the first of them. */
  private async large(page: Buffer, at: number, dataBytes: number, place: string): Promise<number> {
    const first = Number(page.readBigUInt64LE(at));
    const pages = Number(page.readBigUInt64LE(at + 16));
    if (pages !== Math.floor((pageHeaderBytes - 1 + dataBytes) / this.pageBytes) + 1)
      throw new Damage(`${place} has a value of ${dataBytes} bytes in ${pages} pages`);
    this.claim(first, pages, place);
    const head = await this.readAt(first * this.pageBytes, pageHeaderBytes);
    if (Number(head.readBigUInt64LE(0)) !== first || (head.readUInt16LE(18) & 0x0f) !== pageFlags.overflow)
      throw new Damage(`page ${first}, a value of ${place}, is not the page that should be there`);
    return first;
  }

  private claim(first: number, pages: number, name: string, isUse = true): void {
    if (!(first >= 0) || first + pages > this.lastPage + 1)
      throw new Damage(`${name} points at page ${first}, which does not exist`);
    // Free pages at the end need not have been written.
    if (isUse && (first + pages) * this.pageBytes > this.bytes)
      throw new Damage(`it has ${this.bytes} bytes, and ${name} lies behind them: its end is missing`);
    for (let number = first; number < first + pages; number++) {
      const bit = 1 << (number % 8);
      if ((this.used[number >> 3]! & bit) !== 0) throw new Damage(`${name} claims page ${number}, which has another use`);
      this.used[number >> 3]! |= bit;
    }
    if (isUse) this.usedPages += pages;
  }

  private async readAt(position: number, bytes: number): Promise<Buffer> {
    if (++this.looked % pagesEachTurn === 0) await nextTurn();
    const buffer = Buffer.allocUnsafe(bytes);
    // Not by promises: ten times as fast for so little at a time.
    const read = readSync(this.file, buffer, 0, bytes, position);
    if (read < bytes) throw new Damage(`it ends after ${this.bytes} bytes, and something should stand behind`);
    return buffer;
  }
}

function isPageSize(bytes: number): boolean {
  return bytes >= 256 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0;
}
