import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { chooseExecutor } from '#engine/index.js';
import { StagewatchError } from '#runtime/errors.js';
import { dieWithParent } from '#runtime/processes/child-side.js';
import { ownConfinement } from '#runtime/processes/reach.js';
import type { MeasureJob, StoredBytes } from './measurer.js';
import type { EngineSettings, FromMeasuring, JobMessage } from './messages.js';
import { SnapshotMeter } from './snapshot-meter.js';

/** The program of a measuring process: one meter, fed by messages, with its settings as its argument. */
dieWithParent();

const settings = JSON.parse(process.argv[2] ?? '{}') as EngineSettings;
const executor = await chosen(settings);
const meter = new SnapshotMeter({ ...settings, executor });
process.on('message', (message: JobMessage) => void measure(message));
collectGarbage();
const emptyBytes = process.memoryUsage.rss();
tell({ kind: 'ready', executor, residentBytes: emptyBytes, confinement: ownConfinement() });

/** An executor that is not there is told with each measurement, as the reason why nothing was measured. */
async function chosen({ executor = 'ort-cpu', threads, tfjsDir }: EngineSettings): Promise<string> {
  try {
    return (await chooseExecutor(executor, { threads, tfjsDir })).name;
  } catch (error) {
    if (!(error instanceof StagewatchError)) throw error;
    return executor;
  }
}

async function measure({ id, task, files }: JobMessage): Promise<void> {
  try {
    const job: MeasureJob = {
      ...task,
      snapshot: fileAt(files.snapshot),
      artifact: (digest) => fileAt(digest === task.model.graphDigest ? files.graph : files.probeSet!, digest),
      tracker: files.tracker === undefined ? undefined : await readFile(files.tracker),
    };
    const { tracker, ...result } = await meter.measure(job);
    if (tracker !== undefined) await writeFile(files.trackerAfter, tracker);
    tell({ kind: 'measured', id, result, tracker: tracker !== undefined });
  } catch (error) {
    const { code, path, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && path !== undefined) tell({ kind: 'missing', id, path });
    else tell({ kind: 'failed', id, message });
  }
  collectGarbage();
  // Kept models are worth less than the room that another one may need.
  if (process.memoryUsage.rss() > emptyBytes + settings.memoryBytes / 2) await meter.close();
}

/** A name that is a SHA-256 is compared with the bytes. */
function fileAt(path: string, digest = ''): StoredBytes {
  return {
    path,
    read: async () => {
      const bytes = await readFile(path);
      if (/^[0-9a-f]{64}$/.test(digest) && createHash('sha256').update(bytes).digest('hex') !== digest) {
        throw new StagewatchError('CHECKSUM_MISMATCH', 'A file that was sent once has other bytes now', {
          field: basename(path),
          expected: `bytes with the SHA-256 ${digest}`,
        });
      }
      return bytes;
    },
  };
}

/** What one measurement leaves must not count as memory of the next. */
function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

function tell(message: FromMeasuring): void {
  process.send?.(message);
}
