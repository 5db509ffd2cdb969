import type { Blobs } from '#blobs/blobs.js';
import type { Bus } from '#bus/bus.js';
import type { Config } from '#runtime/config.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import type { Store } from '#store/store.js';
import type { AlertsPort } from './alerts-port.js';

export interface DashboardOptions {
  readonly bus: Bus;
  readonly store: Store;
  readonly blobs: Blobs;
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Of the program; written into backups. */
  readonly version?: string;
  /** Without it, the addresses of the alerts answer 404. */
  readonly alerts?: AlertsPort;
  /** What else must hold before `/readyz` answers 200. */
  readonly readiness?: readonly ReadinessCheck[];
  /** Where the built page lies; for tests. */
  readonly pageDir?: string;
  /** How long a deletion waits for the analyzer before it answers 202; for tests. */
  readonly deletionWaitMs?: number;
}

export interface ReadinessCheck {
  readonly name: string;
  /** Throws when the part cannot work now. */
  check(): Promise<void>;
}

/** Nest needs a value to inject by; the types carry no meaning at run time. */
export const OPTIONS = Symbol('dashboard options');
export const LIVE_HUB = Symbol('live hub');
export const SESSIONS = Symbol('sessions');
