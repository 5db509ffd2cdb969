import { tmpdir } from 'node:os';
import { describeEnd } from '#runtime/processes/limited-process.js';
import { createLogger } from '#runtime/logging.js';
import { MeasuringProcess } from './measuring-process.js';
import { describeConfinement } from '#runtime/processes/reach.js';
import type { EngineSettings } from './messages.js';

export interface MeasuringTrial {
  readonly ok: boolean;
  readonly detail: string;
}

/** Starts a measuring process, for `doctor`, and says what it takes and what it may take. */
export async function tryMeasuring(engine: EngineSettings, deadlineMs: number): Promise<MeasuringTrial> {
  const startMs = performance.now();
  const process = new MeasuringProcess({ engine, logger: createLogger({ level: 'silent' }), jobFolders: [], scratch: tmpdir() });
  const outcome = await process.ready;
  if (outcome.kind !== 'ready') return { ok: false, detail: `a process cannot start: ${describeEnd(outcome)}` };
  const tookMs = Math.round(performance.now() - startMs);
  await process.stop('it was only tried');
  const mib = (bytes: number): number => Math.round(bytes / 1024 ** 2);
  const detail =
    `a process with ${outcome.executor} started in ${tookMs} ms and takes ${mib(outcome.residentBytes)} MiB; ` +
    `a measurement may take ${mib(engine.memoryBytes)} MiB more and ${deadlineMs / 1000} s, at the lowest priority; it is ${describeConfinement(outcome.confinement)}`;
  return { ok: true, detail };
}
