import type { Confinement } from '#runtime/processes/reach.js';

/** What the process of the engine is told when it starts. Memory and disk are those of the whole process. */
export interface EngineOptions {
  /** Data folder of the database. */
  readonly path: string;
  /** Folder of its configuration and its socket. */
  readonly privateFolder: string;
  readonly socketPath: string;
  readonly limits: EngineLimits;
}

export interface EngineLimits {
  readonly memoryBytes: number;
  readonly temporaryDiskBytes: number;
  /** Threads of one query of the house; strangers have half of them together. */
  readonly threads: number;
}

/** What it is told when the service ends. */
export const closeMessage = 'close';

/** What it says by message. */
export type EngineMessage =
  | { readonly kind: 'ready'; readonly version: string; readonly confinement: Confinement }
  | { readonly kind: 'failed'; readonly reason: string };

export const socketName = 'engine.sock';
export const foreignSlots = 2;

/** What one query of a stranger may take: strangers together may take half of everything, and this many run at a time. */
export function foreignSettings(limits: EngineLimits): Readonly<Record<string, number>> {
  const share = (total: number): number => Math.max(1, Math.floor(total / 2 / foreignSlots));
  return {
    max_memory_usage: share(limits.memoryBytes),
    max_temporary_data_on_disk_size_for_query: share(limits.temporaryDiskBytes),
    max_threads: share(limits.threads),
    max_execution_time: 60,
  };
}
