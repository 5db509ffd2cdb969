import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Blobs, Upload } from '#blobs/blobs.js';
import type { Metrics } from '#runtime/metrics.js';
import { crc32 } from '#wire/checksum.js';
import type { Input } from '#wire/codec.js';
import type { BlobChunk, BlobEnd, BlobHeader, UploadBlobRequest, UploadBlobResponse } from '#wire/generated/messages.js';
import type { ArtifactHashes, HashedUpload } from './artifact-hashes.js';
import { refuse } from './checks.js';
import type { Identity } from './identity.js';
import { blobName } from './upload-names.js';

export type UploadCall = ServerDuplexStream<UploadBlobRequest, Input<UploadBlobResponse>>;

export interface UploadParts {
  readonly blobs: Blobs;
  readonly hashes: ArtifactHashes;
  readonly metrics: Metrics;
  readonly blobBytes: number;
  readonly chunkBytes: number;
  /** Who uploads; refuses strangers. */
  readonly authorize: (header: BlobHeader) => Promise<Identity>;
  /** The run uses an artifact, from before its first byte comes. */
  readonly refer: (runId: string, digest: string) => Promise<void>;
  readonly alive: (identity: Identity) => Promise<void> | void;
}

/** Chunks that were read and are not yet written; more than this and reading waits. */
const maxPendingBytes = 16 * 1024 * 1024;
/** The client hears of a new durable offset after so many bytes. */
const reportBytes = 32 * 1024 * 1024;

/** One upload: answers where to go on, takes chunks with back-pressure, and lets the blob appear when it is whole. */
export class UploadSession {
  private readonly hashed: HashedUpload | undefined;
  private readonly upload: Upload;
  private at: number;
  private pendingBytes = 0;
  private reportedBytes: number;
  private reporting: Promise<void> | undefined;
  private lastWrite: Promise<void> = Promise.resolve();
  private wake: (() => void) | undefined;
  private failure: { readonly error: unknown } | undefined;

  private constructor(
    private readonly call: UploadCall,
    private readonly header: BlobHeader,
    private readonly name: string,
    private readonly identity: Identity,
    opened: HashedUpload | Upload,
    private readonly parts: UploadParts,
  ) {
    this.hashed = 'hash' in opened ? opened : undefined;
    this.upload = 'hash' in opened ? opened.upload : opened;
    this.at = this.upload.durableBytes;
    this.reportedBytes = this.at;
  }

  /** Serves one call to its end; rejects with what to tell the client. */
  static async serve(call: UploadCall, messages: AsyncIterator<UploadBlobRequest>, parts: UploadParts): Promise<void> {
    const first = await messages.next();
    if (first.done === true) return;
    const header = first.value.header;
    if (header === undefined) refuse('INVALID_ARGUMENT', 'an upload begins with its header', { field: 'header' });
    const identity = await parts.authorize(header);
    const name = blobName(header, identity.place);
    if (header.totalBytes > parts.blobBytes) {
      refuse('BLOB_TOO_LARGE', 'the blob is larger than this service takes', {
        field: 'header.total_bytes',
        value: String(header.totalBytes),
        expected: `at most ${parts.blobBytes}`,
      });
    }
    const isArtifact = header.kind === 'BLOB_KIND_ARTIFACT';
    if (isArtifact) await parts.refer(identity.place.runId, header.key);
    const leave = isArtifact ? await parts.hashes.enter(name) : undefined;
    try {
      if (await alreadyThere(call, name, header, parts)) return;
      const opened = isArtifact
        ? await parts.hashes.open(name, header.totalBytes)
        : await parts.blobs.upload(name, header.totalBytes);
      await new UploadSession(call, header, name, identity, opened, parts).run(messages);
    } finally {
      leave?.();
    }
  }

  private async run(messages: AsyncIterator<UploadBlobRequest>): Promise<void> {
    this.call.write({ durableBytes: this.at });
    let committed = false;
    try {
      for (;;) {
        const next = await messages.next();
        if (this.failure !== undefined) throw this.failure.error;
        if (next.done === true) return;
        await this.parts.alive(this.identity);
        const { header, chunk, end } = next.value;
        if (chunk !== undefined) await this.take(chunk);
        else if (end !== undefined) {
          await this.commit(end);
          committed = true;
          return;
        } else if (header !== undefined) refuse('INVALID_ARGUMENT', 'the header was sent already', { field: 'header' });
      }
    } finally {
      if (!committed) await this.breakOff();
    }
  }

  private async take({ offset, data, crc32: told }: BlobChunk): Promise<void> {
    const { chunkBytes } = this.parts;
    if (data.length > chunkBytes) {
      refuse('MESSAGE_TOO_LARGE', 'the chunk is too large', {
        field: 'chunk.data',
        value: `${data.length} bytes`,
        expected: `at most ${chunkBytes}`,
      });
    }
    if (offset !== this.at || offset + data.length > this.header.totalBytes) {
      refuse('OFFSET_MISMATCH', 'the chunk is not the next one', {
        field: 'chunk.offset',
        value: `${offset} with ${data.length} bytes`,
        expected: `${this.at}, and no byte behind ${this.header.totalBytes}`,
      });
    }
    const crc = crc32(data);
    if (crc !== told) {
      refuse('CHECKSUM_MISMATCH', 'the chunk was damaged on its way', {
        field: 'chunk.crc32',
        value: String(told),
        expected: `${crc}, the CRC-32 of the bytes that came`,
      });
    }
    if (this.hashed !== undefined) {
      this.hashed.hash.update(data);
      this.hashed.bytes += data.length;
    }
    this.at += data.length;
    this.write(offset, data, crc);
    while (this.pendingBytes > maxPendingBytes && this.failure === undefined) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.at - this.reportedBytes >= reportBytes) this.reporting ??= this.report();
  }

  private write(offset: number, data: Buffer, crc: number): void {
    this.pendingBytes += data.length;
    this.lastWrite = this.upload
      .write(offset, data, crc)
      .then(() => this.parts.metrics.blobBytes.inc(data.length))
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => {
        this.pendingBytes -= data.length;
        this.wake?.();
      });
  }

  /** Tells the client the new durable offset, beside the stream. */
  private async report(): Promise<void> {
    try {
      const durableBytes = await this.upload.sync();
      this.reportedBytes = durableBytes;
      if (this.call.writable) this.call.write({ durableBytes });
    } catch (error) {
      this.failure ??= { error };
    } finally {
      this.reporting = undefined;
    }
  }

  private async commit({ crc32: told }: BlobEnd): Promise<void> {
    await this.lastWrite;
    await this.reporting;
    if (this.failure !== undefined) throw this.failure.error;
    if (this.at !== this.header.totalBytes) {
      refuse('OFFSET_MISMATCH', 'the blob ends before its last byte', {
        field: 'end',
        value: String(this.at),
        expected: `${this.header.totalBytes} bytes`,
      });
    }
    if (this.hashed !== undefined) await this.checkDigest(this.hashed);
    await this.upload.commit(told);
    this.call.write({ durableBytes: this.at, blob: this.name });
  }

  private async checkDigest({ hash, upload }: HashedUpload): Promise<void> {
    const digest = hash.digest('hex');
    if (digest === this.header.key) return;
    await this.parts.hashes.forget(this.name, upload);
    refuse('CHECKSUM_MISMATCH', 'the artifact is not what its digest says', {
      field: 'header.key',
      value: this.header.key,
      expected: `${digest}, the SHA-256 of the bytes that came`,
    });
  }

  /** Keeps what is durable for the next try. */
  private async breakOff(): Promise<void> {
    await this.lastWrite;
    await this.reporting;
    await this.upload.close().catch(() => undefined);
    if (this.hashed !== undefined) this.parts.hashes.keep(this.name, this.hashed);
  }
}

async function alreadyThere(call: UploadCall, name: string, header: BlobHeader, { blobs }: UploadParts): Promise<boolean> {
  const known = await blobs.stat(name);
  if (known === undefined) return false;
  if (known.bytes !== header.totalBytes) {
    refuse('INVALID_ARGUMENT', 'the blob is complete, with another size', {
      field: 'header.total_bytes',
      value: String(header.totalBytes),
      expected: `${known.bytes}, or another key`,
    });
  }
  call.write({ durableBytes: known.bytes, blob: name });
  return true;
}
