import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { StagewatchError } from '#runtime/errors.js';

export const manifestName = 'manifest.json';
export const format = 1;

const schema = z.object({
  format: z.literal(format),
  /** Of the program that made it. */
  version: z.string(),
  createdMs: z.number(),
  /** Newest message of each stream that is in it. */
  heads: z.record(z.string(), z.number()),
  files: z.array(z.object({ path: z.string(), bytes: z.number(), sha256: z.string() })),
});

/** What a backup consists of; written last, so that a folder without it is none. */
export type Manifest = z.infer<typeof schema>;
export type BackupFile = Manifest['files'][number];

export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, manifestName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new StagewatchError('NOT_FOUND', `${folder} is no whole backup: it has no ${manifestName}`, { value: folder }, error);
  }
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new StagewatchError('DATA_DAMAGED', `${path} is not the manifest of a backup of format ${format}`, { value: path });
}

/** Compares every file with the manifest; throws at the first that differs, with its name. */
export async function verify(folder: string, { files }: Manifest, progress: (file: BackupFile) => void): Promise<void> {
  for (const file of files) {
    const path = join(folder, file.path);
    const found = await digestOf(path).catch(() => undefined);
    if (found === undefined) throw damaged(path, 'is missing');
    if (found.bytes !== file.bytes) throw damaged(path, `has ${found.bytes} bytes instead of ${file.bytes}`);
    if (found.sha256 !== file.sha256) throw damaged(path, 'differs from its checksum');
    progress(file);
  }
}

export async function digestOf(path: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

function damaged(path: string, what: string): StagewatchError {
  return new StagewatchError('DATA_DAMAGED', `the backup is damaged: ${path} ${what}; nothing was restored`, { value: path });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
