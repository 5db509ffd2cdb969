import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { pino, type Logger } from 'pino';
import { afterEach, beforeEach } from 'vitest';
import type { Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { encodeJson, type FindingBody } from '#bus/messages.js';
import { Metrics } from '#runtime/metrics.js';
import { createAlerts, type Alerts, type AlertsOptions, type DeliveryView } from '../index.js';
import { ManualClock } from './manual-clock.js';
import { startReceiver, type Received, type Receiver } from './receiver.js';

export const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const run = 'r0000000000abcdefghjkmnpqrs';

/** Alerts on a bus in files, with a clock that stands still and a receiver on loopback: those of the present test. */
export interface AlertsFixture {
  readonly bus: Bus;
  readonly receiver: Receiver;
  readonly clock: ManualClock;
  readonly alerts: Alerts;
  readonly logger: Logger;
  /** Of the alerts that were started last. */
  readonly metrics: Metrics;
  /** All that was logged. */
  readonly logged: string;
  /** Puts the rule `one`, which waits for nothing. */
  readonly rule: (fields?: object) => Promise<object>;
  readonly find: (...findings: readonly FindingBody[]) => Promise<void>;
  readonly restart: (options?: Partial<AlertsOptions>) => Promise<void>;
  /** Bus and alerts come again from what is on the disk; alerts that ran before are left as they are. */
  readonly startAfterCrash: () => Promise<void>;
  readonly receivedBy: (count: number) => Promise<readonly Received[]>;
  readonly deliveriesThat: (right: (all: readonly DeliveryView[]) => boolean) => Promise<readonly DeliveryView[]>;
  /** Everything that is published is in the outbox, or was not wanted. */
  readonly taken: () => Promise<void>;
  /** Of the findings of a hook that was received. */
  readonly summaries: (index: number) => readonly (string | undefined)[];
}

/** A new one for each test of the file that calls this. */
export function alertsFixture(): AlertsFixture {
  let path: string;
  let bus: Bus;
  let receiver: Receiver;
  let clock: ManualClock;
  let alerts: Alerts;
  let logged: string;
  let metrics: Metrics;

  const logger = pino(
    { level: 'trace' },
    new Writable({
      write(chunk: Buffer, _, done) {
        logged += chunk.toString();
        done();
      },
    }),
  );

  async function start(options: Partial<AlertsOptions> = {}): Promise<Alerts> {
    const config = {
      alertsAllowPrivate: true,
      host: '127.0.0.1',
      publicUrl: undefined,
      ports: { grpc: 1, http: 7580, clickhouse: 1 },
    };
    metrics = new Metrics();
    const made = createAlerts({ bus, config, logger, metrics, clock, ...options });
    await made.start();
    return made;
  }

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'stagewatch-alerts-'));
    bus = await openLmdbBus({ path });
    receiver = await startReceiver();
    clock = new ManualClock();
    logged = '';
    alerts = await start();
  });
  afterEach(async () => {
    await alerts.close();
    await receiver.close();
    await bus.close();
    await rm(path, { recursive: true, force: true });
  });

  return {
    get bus() {
      return bus;
    },
    get receiver() {
      return receiver;
    },
    get clock() {
      return clock;
    },
    get alerts() {
      return alerts;
    },
    get logged() {
      return logged;
    },
    logger,
    get metrics() {
      return metrics;
    },
    rule: (fields = {}) =>
      alerts.rules.put({
        id: 'one',
        name: 'My rule',
        url: receiver.url,
        secret,
        groupSeconds: 0,
        throttleSeconds: 0,
        ...fields,
      }),
    find: async (...findings) => {
      await bus.publish(
        'findings',
        findings.map((body) => ({ subject: body.run, id: body.id, body: encodeJson(body) })),
      );
    },
    restart: async (options = {}) => {
      await alerts.close();
      alerts = await start(options);
    },
    startAfterCrash: async () => {
      await bus.close();
      bus = await openLmdbBus({ path });
      alerts = await start();
    },
    receivedBy: (count) =>
      eventually(
        () => receiver.received,
        (received) => received.length >= count,
      ),
    deliveriesThat: (right) => eventually(() => alerts.deliveries(), right),
    taken: async () => {
      const group = await bus.group('findings', 'alerts');
      await eventually(
        () => group.depth(),
        (depth) => depth.messages === 0,
      );
    },
    summaries: (index) => receiver.received[index]!.body.alerts.map((alert) => alert.annotations['summary']),
  };
}

export function finding(id: string, fields: Partial<FindingBody> = {}): FindingBody {
  return {
    id,
    run,
    attempt: 1,
    step: 165,
    onset: 160,
    kind: 'divergence_risk',
    provisional: false,
    severity: 'critical',
    evidence: { loss: 'nan' },
    text: `finding ${id}`,
    timeMs: 1_790_000_000_000,
    runName: 'digits',
    project: 'demo',
    ...fields,
  };
}

/** What happens in the background has happened. */
export async function eventually<T>(ask: () => T | Promise<T>, right: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const value = await ask();
    if (right(value)) return value;
    if (tries > 400) throw new Error(`not so in time: ${JSON.stringify(value).slice(0, 2000)}`);
    await delay(10);
  }
}

/** Of the first delivery. */
export const inState = (state: DeliveryView['state'], tries: number) => (all: readonly DeliveryView[]) =>
  all[0]?.state === state && all[0].tries.length === tries;
