import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';

export type Table = Database<Buffer, Buffer>;

/** One LMDB environment; every table maps bytes to bytes (`keys.ts` has the keys). */
export interface Tables {
  readonly root: RootDatabase<Buffer, Buffer>;
  /** Names and numbers of streams and groups, counters. */
  readonly meta: Table;
  /** Subject name → number. Numbers are never used twice. */
  readonly subjects: Table;
  /** Numbers of deleted subjects whose entries are still being removed. */
  readonly trash: Table;
  /** (stream) → head and trim. */
  readonly heads: Table;
  /** (stream, subject) → last, erased and forgotten positions. */
  readonly marks: Table;
  /** (stream, position) → message. */
  readonly messages: Table;
  /** (stream, subject, position) → id; outlives the message, for the window of known ids. */
  readonly index: Table;
  /** (stream, subject, id) → position. */
  readonly ids: Table;
  /** (stream, group, subject) → position and deliveries. */
  readonly progress: Table;
  /** (stream, group, subject) → state. */
  readonly states: Table;
  /** (stream, group, subject, position) → dead letter. */
  readonly dead: Table;
  /** (stream, group, subject, position) → dead letter that waits to be worked on again. */
  readonly retries: Table;
  /** (bucket, key) → revision and value. */
  readonly kv: Table;
}

export function openTables(path: string, mapBytes: number): Tables {
  mkdirSync(path, { recursive: true });
  const root: RootDatabase<Buffer, Buffer> = open({
    path: join(path, 'bus.mdb'),
    noSubdir: true,
    mapSize: mapBytes,
    maxDbs: 16,
    keyEncoding: 'binary',
    encoding: 'binary',
    // With it, each turn of the event loop gets a batch whose promise nobody sees, and a full disk ends the process
    // with an unhandled rejection. We make the batches.
    eventTurnBatching: false,
    // The classic order of LMDB: data, sync, meta, sync. Our writer has one transaction under way at a time,
    // so overlapping would gain nothing.
    overlappingSync: false,
  });
  const table = (name: string): Table => root.openDB(name, { keyEncoding: 'binary', encoding: 'binary' });
  return {
    root,
    meta: table('meta'),
    subjects: table('subjects'),
    trash: table('trash'),
    heads: table('heads'),
    marks: table('marks'),
    messages: table('messages'),
    index: table('index'),
    ids: table('ids'),
    progress: table('progress'),
    states: table('states'),
    dead: table('dead'),
    retries: table('retries'),
    kv: table('kv'),
  };
}
