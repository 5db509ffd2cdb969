import type { Blobs } from '#blobs/blobs.js';
import type { Bus } from '#bus/bus.js';
import type { Config } from '#runtime/config.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import type { Store } from '#store/store.js';
import type { EngineSettings } from './measure/messages.js';

/** What the analyzer stands on. */
export interface AnalyzerParts {
  readonly config: Pick<Config, 'dataDir' | 'keepDays' | 'measuring'> & { readonly engine: EngineSettings };
  readonly bus: Bus;
  readonly blobs: Blobs;
  readonly store: Store;
  readonly logger: Logger;
  readonly metrics: Metrics;
}
