import { createHash, type Hash } from 'node:crypto';
import type { Blobs, Upload } from '#blobs/blobs.js';
import { sleep } from '#runtime/retry.js';

/** How long an upload waits for another one of the same artifact before it takes over. */
const patienceMs = 10_000;
/** Broken uploads whose hash is kept for the next try. */
const maxKept = 256;

/** An artifact's upload together with the hash of what it has so far. */
export interface HashedUpload {
  readonly upload: Upload;
  readonly hash: Hash;
  bytes: number;
}

/**
 * Artifacts are known by their SHA-256, so the whole of one must have been hashed before it appears. The hash of a
 * broken upload is kept in memory; after a restart of the service such an upload begins anew.
 */
export class ArtifactHashes {
  private readonly kept = new Map<string, HashedUpload>();
  /** Processes that share data upload the same artifact at the same time: the second waits for the first. */
  private readonly under = new Map<string, Promise<void>>();

  constructor(private readonly blobs: Blobs) {}

  async enter(name: string): Promise<() => void> {
    const deadline = Date.now() + patienceMs;
    for (let other = this.under.get(name); other !== undefined && Date.now() < deadline; other = this.under.get(name)) {
      const stop = new AbortController();
      await Promise.race([other, sleep(deadline - Date.now(), stop.signal)]);
      stop.abort();
    }
    let done = (): void => undefined;
    const mine = new Promise<void>((resolve) => (done = resolve));
    this.under.set(name, mine);
    return () => {
      if (this.under.get(name) === mine) this.under.delete(name);
      done();
    };
  }

  async open(name: string, totalBytes: number): Promise<HashedUpload> {
    const kept = this.kept.get(name);
    this.kept.delete(name);
    let upload = await this.blobs.upload(name, totalBytes);
    if (upload.complete) return { upload, hash: createHash('sha256'), bytes: totalBytes };
    if (kept !== undefined && kept.bytes === upload.durableBytes) return { upload, hash: kept.hash, bytes: kept.bytes };
    if (upload.durableBytes > 0) {
      await this.forget(name, upload);
      upload = await this.blobs.upload(name, totalBytes);
    }
    return { upload, hash: createHash('sha256'), bytes: 0 };
  }

  keep(name: string, upload: HashedUpload): void {
    this.kept.set(name, upload);
    const oldest = this.kept.keys().next();
    if (this.kept.size > maxKept && oldest.done !== true) this.kept.delete(oldest.value);
  }

  async forget(name: string, upload: Upload): Promise<void> {
    await upload.close();
    await this.blobs.delete(name);
  }
}
