import type { Bus } from '#bus/bus.js';
import type { FindingBody } from '#bus/messages.js';
import type { Config } from '#runtime/config.js';
import { StagewatchError } from '#runtime/errors.js';
import { newId } from '#runtime/ids.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { pageOrigin } from '#runtime/page-origin.js';
import { PeriodicTask } from '#runtime/periodic.js';
import type { Resolve } from './address-guard.js';
import { webhookBody } from './body.js';
import { systemClock, type Clock } from './clock.js';
import { Dispatcher } from './dispatcher.js';
import { ForgetTogether } from './forget-together.js';
import { Intake } from './intake.js';
import { Outbox, type Delivery } from './outbox.js';
import { Rules } from './rules.js';
import { signedHeaders } from './signature.js';
import { createWebhook, type Send } from './webhook.js';

const keepMs = 30 * 24 * 60 * 60 * 1000;
const keepDeliveries = 5000;
const cleanMs = 60 * 60 * 1000;
const defaultLimit = 100;

export interface AlertsOptions {
  readonly bus: Bus;
  readonly config: Pick<Config, 'alertsAllowPrivate' | 'host' | 'ports' | 'publicUrl'>;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'alertTries' | 'alertsLeftOut' | 'deadLetters'>;
  /** For tests. */
  readonly clock?: Clock;
  readonly resolve?: Resolve;
  readonly maxWaiting?: number;
}

/** One delivery as it is shown. */
export interface DeliveryView extends Pick<
  Delivery,
  'id' | 'rule' | 'ruleName' | 'run' | 'createdMs' | 'state' | 'tries' | 'earlierTries' | 'leftOut'
> {
  readonly runName: string;
  readonly project: string;
  readonly nextTryMs?: number;
  readonly reason?: string;
  readonly findings: readonly Pick<FindingBody, 'id' | 'kind' | 'severity' | 'step' | 'text'>[];
}

export type TestResult = { readonly delivered: boolean; readonly status?: number; readonly error?: string };

export function createAlerts(options: AlertsOptions): Alerts {
  return new Alerts(options);
}

/** Rules → outbox → webhooks. */
export class Alerts {
  readonly rules: Rules;
  private readonly outbox: Outbox;
  private readonly intake: Intake;
  private readonly dispatcher: Dispatcher;
  private readonly forgetting: ForgetTogether;
  private readonly cleaning: PeriodicTask;
  private readonly send: Send;
  private readonly clock: Clock;
  private readonly externalUrl: string;
  private readonly stopping = new AbortController();

  constructor(options: AlertsOptions) {
    const { bus, config, logger, metrics, clock = systemClock } = options;
    const allowPrivate = config.alertsAllowPrivate;
    this.clock = clock;
    this.externalUrl = pageOrigin(config, config.ports.http);
    this.send = createWebhook({ allowPrivate, ...(options.resolve !== undefined && { resolve: options.resolve }) });
    this.outbox = new Outbox(bus);
    const { outbox, send, externalUrl } = this;
    const rules = new Rules({
      bus,
      allowPrivate,
      changed: (id) => this.dispatcher.ruleChanged(id),
      receiver: (id) => this.dispatcher.state(id),
    });
    this.rules = rules;
    this.dispatcher = new Dispatcher({
      rules,
      outbox,
      send,
      clock,
      logger,
      metrics,
      externalUrl,
      ...(options.maxWaiting !== undefined && { maxWaiting: options.maxWaiting }),
    });
    this.intake = new Intake({ bus, rules, outbox, clock, logger, metrics, received: (item) => this.dispatcher.add(item) });
    this.forgetting = new ForgetTogether((runs) => this.forgetRuns(runs));
    this.cleaning = new PeriodicTask({ name: 'alert outbox cleaning', intervalMs: cleanMs, logger }, () =>
      outbox.clean(clock.nowMs() - keepMs, keepDeliveries),
    );
  }

  async start(): Promise<void> {
    await this.rules.start();
    await this.dispatcher.start();
    await this.intake.start();
    this.cleaning.start();
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.cleaning.close();
    await this.intake.close();
    await this.dispatcher.close();
  }

  /** What was sent or is to be sent, the newest first. */
  async deliveries(filter: { readonly run?: string; readonly limit?: number } = {}): Promise<readonly DeliveryView[]> {
    const found: DeliveryView[] = [];
    for await (const delivery of this.outbox.deliveries()) {
      if (filter.run !== undefined && delivery.run !== filter.run) continue;
      if (found.push(viewOf(delivery)) >= (filter.limit ?? defaultLimit)) break;
    }
    return found;
  }

  /** Sends a made-up finding to a rule's receiver, once. */
  async test(ruleId: string): Promise<TestResult> {
    const rule = this.rules.get(ruleId);
    if (rule === undefined) throw new StagewatchError('NOT_FOUND', 'there is no such rule', { field: 'id', value: ruleId });
    const nowMs = this.clock.nowMs();
    const body = webhookBody({ rule, run: 'test', findings: [madeUp(nowMs)], externalUrl: this.externalUrl });
    const headers = signedHeaders(`msg_${newId('test', nowMs)}`, body, rule.secret, nowMs);
    const result = await this.send({ url: rule.url, headers, body, signal: this.stopping.signal });
    const status = result.status === undefined ? {} : { status: result.status };
    if (result.kind === 'success') return { delivered: true, ...status };
    return { delivered: false, ...status, error: result.error instanceof Error ? result.error.message : String(result.error) };
  }

  /** The run is deleted: nothing of it is kept or sent. */
  forgetRun(run: string): Promise<void> {
    return this.forgetting.forget(run);
  }

  private async forgetRuns(runs: ReadonlySet<string>): Promise<void> {
    await this.intake.quiet();
    for (const run of runs) await this.dispatcher.forgetRun(run);
    await this.outbox.forgetRuns(runs);
  }
}

function viewOf(delivery: Delivery): DeliveryView {
  const { id, rule, ruleName, run, createdMs, state, tries, earlierTries, leftOut, nextTryMs, reason, findings } = delivery;
  return {
    id,
    rule,
    ruleName,
    run,
    runName: findings[0]?.runName ?? '',
    project: findings[0]?.project ?? '',
    createdMs,
    state,
    tries,
    ...(earlierTries !== undefined && { earlierTries }),
    ...(leftOut !== undefined && { leftOut }),
    ...(nextTryMs !== undefined && { nextTryMs }),
    ...(reason !== undefined && { reason }),
    findings: findings.map(({ id, kind, severity, step, text }) => ({ id, kind, severity, step, text })),
  };
}

function madeUp(nowMs: number): FindingBody {
  return {
    id: `test.${nowMs}`,
    run: 'test',
    attempt: 1,
    step: 0,
    onset: 0,
    kind: 'test',
    provisional: false,
    severity: 'info',
    evidence: {},
    text: 'This is a test of an alert rule; no run is concerned.',
    timeMs: nowMs,
    runName: 'test',
    project: 'test',
  };
}
