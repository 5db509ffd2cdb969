/**
 * Large bytes under names that the server makes: `runs/<run>/…` or `artifacts/<sha256>`. One contract for several
 * implementations. A blob is either complete or absent: readers never see a part of one.
 */
export interface Blobs {
  /** Opens an upload, or takes up one that broke off; one writer a name at a time, the newest wins. */
  upload(name: string, totalBytes: number): Promise<Upload>;
  stat(name: string): Promise<{ readonly bytes: number } | undefined>;
  /** Throws {@link BlobMissing}. */
  read(name: string, range?: { readonly offset: number; readonly bytes: number }): Promise<Buffer>;
  /**
   * The local file that a blob of this name is, for a process that reads it by itself; undefined where blobs are no files of
   * this machine. A file that is not there is a blob that is missing.
   */
  path(name: string): string | undefined;
  /** Complete blobs below a prefix that ends in `/`. */
  list(prefix: string): AsyncIterable<{ readonly name: string; readonly bytes: number }>;
  delete(name: string): Promise<void>;
  deletePrefix(prefix: string): Promise<void>;
  /** Begins a copy of all blobs in an empty folder: what is there now and what comes until it is finished, deleted meanwhile or not. */
  beginCopy(folder: string): Promise<BlobsCopy>;
  /** Takes over a file as a complete blob, unless there is one. */
  adopt(name: string, path: string): Promise<void>;
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface BlobsCopy {
  /** Answers each blob as soon as its copy is complete. */
  finish(): AsyncIterable<{ readonly name: string; readonly bytes: number }>;
  /** Always called, finished or not. */
  close(): void;
}

export interface Upload {
  /** All bytes before this offset are durable; the writer goes on here. Grows while the upload is written and synced. */
  readonly durableBytes: number;
  /** The name is complete already: nothing to send. */
  readonly complete: boolean;
  /** CRC-32 of everything before `durableBytes`; grows with it. */
  readonly crc32: number;
  /**
   * `offset` must be where the last write ended. May be called again before it resolves; writes keep their order, and a
   * few at a time are the fastest. `data` must not change until it resolves. `crc32` is that of `data`, where the caller knows it. Throws {@link StorageFull}: then the upload
   * is over, and can be taken up when there is space.
   */
  write(offset: number, data: Uint8Array, crc32?: number): Promise<void>;
  /** Syncs; answers the new durable offset. */
  sync(): Promise<number>;
  /** Syncs, compares length and CRC-32, makes the blob appear. Throws {@link ChecksumMismatch} and forgets the bytes. */
  commit(crc32: number): Promise<void>;
  /** Keeps what is durable for a later try. */
  close(): Promise<void>;
}

export class BlobMissing extends Error {
  override readonly name = 'BlobMissing';
}
export class ChecksumMismatch extends Error {
  override readonly name = 'ChecksumMismatch';
}
export class OffsetMismatch extends Error {
  override readonly name = 'OffsetMismatch';
}
export class StorageFull extends Error {
  override readonly name = 'StorageFull';
}
export class UploadSuperseded extends Error {
  override readonly name = 'UploadSuperseded';
}
