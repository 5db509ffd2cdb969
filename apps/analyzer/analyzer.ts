import { join } from 'node:path';
import { ArtifactReferences } from '#bus/artifact-references.js';
import { RunKeepers } from '#bus/run-keepers.js';
import { PeriodicTask } from '#runtime/periodic.js';
import { countDeadLetters } from './dead-letter.js';
import type { GroupWorker } from './group-worker.js';
import { Housekeeping } from './housekeeping/housekeeping.js';
import { dropBlobs } from './judge/drop-blobs.js';
import { createJudgeGroup } from './judge/judge.js';
import type { RunMemory } from './judge/memory.js';
import { readMemory } from './judge/read-memory.js';
import { createLedger } from './ledger/ledger.js';
import type { Measurer } from './measure/measurer.js';
import { ProcessMeasurer } from './measure/process-measurer.js';
import { CadenceBrake } from './measuring/cadence-brake.js';
import { MeasureAttempts } from './measuring/measure-attempts.js';
import { Measuring } from './measuring/measuring.js';
import { TrackerCache } from './measuring/tracker-cache.js';
import type { AnalyzerParts } from './parts.js';

export interface AnalyzerOptions extends AnalyzerParts {
  /** Measures in processes of its own when left out. */
  readonly measurer?: Measurer;
  /** Keeps the snapshots that were measured; otherwise only the newest of each run stays. */
  readonly keepSnapshots?: boolean;
  /** For tests. */
  readonly flushEveryMs?: number;
  /** For tests: how far measurements of a run may lie behind before snapshots are left out. */
  readonly patienceSeconds?: number;
}

export interface Analyzer {
  start(): Promise<void>;
  close(): Promise<void>;
}

const gaugesEveryMs = 2000;

/** Writes scalars, measures snapshots, judges runs, deletes runs: everything between the bus and ClickHouse. */
export function createAnalyzer(options: AnalyzerOptions): Analyzer {
  return new ComposedAnalyzer(options);
}

class ComposedAnalyzer implements Analyzer {
  private readonly measurer: Measurer;
  private readonly ledger: GroupWorker;
  private readonly judge: GroupWorker;
  private readonly measuring: Measuring;
  private readonly housekeeping: Housekeeping;
  private readonly gauges: PeriodicTask;

  constructor(private readonly options: AnalyzerOptions) {
    const { config, bus, blobs, logger, metrics } = options;
    const attempts = new MeasureAttempts(bus.kv('measuring'), metrics);
    const trackers = new TrackerCache(blobs, logger);
    const brake = new CadenceBrake(bus, logger);
    const references = new ArtifactReferences(bus);
    const {
      keepSnapshots = false,
      flushEveryMs = 250,
      patienceSeconds = 120,
      measurer = new ProcessMeasurer({
        logger,
        metrics,
        engine: config.engine,
        ...config.measuring,
        scratch: join(config.dataDir, 'measuring'),
        jobFolders: [join(config.dataDir, 'blobs')],
      }),
    } = options;
    this.measurer = measurer;
    this.ledger = createLedger(options);
    this.measuring = new Measuring({ bus, blobs, logger, metrics, measurer, attempts, trackers, brake, patienceSeconds });
    this.judge = createJudgeGroup({ ...options, measuring: this.measuring, references, keepSnapshots, flushEveryMs });
    const letGo = async (run: string): Promise<void> => {
      await Promise.all([this.ledger.letGo(run), this.judge.letGo(run)]);
      await this.measuring.letGo(run);
    };
    this.housekeeping = new Housekeeping({
      ...options,
      references,
      keepers: new RunKeepers(bus),
      letGo,
      keepDays: config.keepDays,
    });
    this.gauges = new PeriodicTask({ name: 'analyzer gauges', intervalMs: gaugesEveryMs, logger }, async () => {
      metrics.analyzerJobAgeSeconds.set(attempts.ageSeconds());
      await Promise.all([this.ledger.measureQueue(), this.judge.measureQueue(), countDeadLetters(bus, metrics)]);
    });
  }

  async start(): Promise<void> {
    await this.ledger.declare();
    await this.judge.declare();
    await this.measuring.start((run) => this.committedMemory(run));
    this.ledger.start();
    this.judge.start();
    this.housekeeping.start();
    this.gauges.start();
  }

  /** What the service that ended before did not come to remove is gone afterwards: a run that has ended has no next message. */
  private async committedMemory(run: string): Promise<RunMemory | undefined> {
    const memory = readMemory(await this.judge.state(run), run, this.options.logger);
    if (memory !== undefined) await dropBlobs({ keepSnapshots: false, ...this.options }, memory.garbage);
    return memory;
  }

  async close(): Promise<void> {
    await this.gauges.close();
    await this.housekeeping.close();
    // A measurement under way is ended, and comes again at the next start.
    const measured = this.measuring.close();
    await this.measurer.close();
    await Promise.all([measured, this.judge.close(), this.ledger.close()]);
  }
}
