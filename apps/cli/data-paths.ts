import { join } from 'node:path';

/** What lies where in a data folder. */
export interface DataPaths {
  readonly bus: string;
  readonly busCopies: string;
  readonly blobs: string;
  readonly clickhouse: string;
}

export function dataPaths(dataDir: string): DataPaths {
  return {
    bus: join(dataDir, 'bus'),
    // Not inside of the bus: what happens to that folder should not happen to them.
    busCopies: join(dataDir, 'bus-copies'),
    blobs: join(dataDir, 'blobs'),
    clickhouse: join(dataDir, 'clickhouse'),
  };
}
