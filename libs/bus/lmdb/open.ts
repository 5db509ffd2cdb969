import type { Logger } from '#runtime/logging.js';
import { streams as houseStreams, type Bus, type StreamOptions } from '../bus.js';
import { DiskSpace } from './disk-space.js';
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
}

/** The bus of an installation that is one process. */
export async function openLmdbBus(options: LmdbBusOptions): Promise<Bus> {
  const tables = openTables(options.path, options.mapBytes ?? 64 * gib);
  const space = new DiskSpace(options.path, options.reserveBytes ?? 32 * mib);
  const bus = new LmdbBus({
    tables,
    writer: new Writer(tables.root, space, options.logger),
    space,
    streams: options.streams ?? houseStreams,
    idWindow: options.idWindow ?? 4096,
    logger: options.logger,
  });
  await bus.start();
  return bus;
}
