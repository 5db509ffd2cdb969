import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { streams as houseStreams, type Bus, type StreamOptions } from '../bus.js';
import { BusCopies, type CopyOptions } from './copies/bus-copies.js';
import { DiskSpace } from './disk-space.js';
import { compactFile } from './file/compact.js';
import { assertWhole } from './file/whole-file.js';
import { LmdbBus } from './lmdb-bus.js';
import { openTables } from './tables.js';
import { Writer } from './writer.js';

const mib = 1024 ** 2;
const gib = 1024 ** 3;

export interface LmdbBusOptions {
  /** A folder of its own; one process at a time may have it open. */
  readonly path: string;
  readonly logger?: Logger;
  /** The streams; those of the house unless said otherwise. */
  readonly streams?: Readonly<Record<string, StreamOptions>>;
  /** Address space to begin with, not disk; beyond it the map grows by moving. */
  readonly mapBytes?: number;
  /** Publishing is refused when the disk has less than this left; 0 for no reserve. */
  readonly reserveBytes?: number;
  /** So many ids per subject stay known after their messages are gone. */
  readonly idWindow?: number;
  /** Ids of all subjects of a stream that stay known after their messages are gone; the longest silent subject's go first. */
  readonly maxKnownIds?: number;
  /** Of the dead letters of one group; the oldest go first. */
  readonly maxDeadLetterBytes?: number;
  /** What else has to be free on the disk before anything is taken in from outside. */
  readonly withheldBytes?: () => number;
  /** Copies that can be opened when the file cannot; none are kept without it. */
  readonly copies?: CopyOptions;
  readonly metrics?: Metrics;
}

/** The bus of an installation that is one process. Throws a StagewatchError when its file is damaged. */
export async function openLmdbBus(options: LmdbBusOptions): Promise<Bus> {
  const { path, logger, copies } = options;
  const report = await assertWhole(path, copies?.folder);
  if (report !== undefined) await compactFile(path, report, logger);
  const tables = openTables(path, options.mapBytes ?? 64 * gib);
  const space = new DiskSpace(path, options.reserveBytes ?? 32 * mib, options.withheldBytes);
  const writer = new Writer(tables.root, space, logger);
  const bus = new LmdbBus({
    tables,
    writer,
    space,
    streams: options.streams ?? houseStreams,
    idWindow: options.idWindow ?? 4096,
    maxKnownIds: options.maxKnownIds ?? 1024 ** 2,
    maxDeadLetterBytes: options.maxDeadLetterBytes ?? 64 * mib,
    copies: (source) => (copies === undefined || logger === undefined ? undefined : new BusCopies(source, copies, logger)),
    logger,
    metrics: options.metrics,
  });
  await bus.start();
  return bus;
}
