import type {
  AlertDeliveriesAnswer,
  AlertDeliveryBody,
  AlertReceiverBody,
  AlertRuleAnswer,
  AlertRuleBody,
  AlertRulesAnswer,
  AlertTestAnswer,
} from '#dashboard/events/alerts.js';
import { fill, h } from '../dom.js';
import { formatAgo, formatCount } from '../format.js';
import { ApiError, type Api } from '../live/api.js';
import { Polling } from '../live/polling.js';
import { ruleForm } from './rule-form.js';
import { table } from './table.js';
import type { View } from './view.js';

const refreshMs = 5000;

type Shown = readonly [rules: readonly AlertRuleBody[], deliveries: readonly AlertDeliveryBody[]];

/** The rules of the alerts, and what became of each delivery. */
export class AlertsView implements View {
  readonly title = 'Alerts';
  readonly element = h('main', { class: 'page alerts-page' });
  private readonly rules = h('div', { class: 'table-wrap' });
  private readonly deliveries = h('div', { class: 'table-wrap' });
  private readonly message = h('p', { class: 'form-message', role: 'status' });
  private readonly polling: Polling<Shown>;

  constructor(private readonly api: Api) {
    fill(
      this.element,
      h('div', { class: 'page-head' }, h('h1', {}, 'Alerts')),
      h('h2', {}, 'Rules'),
      this.rules,
      ruleForm((rule) => this.create(rule)),
      this.message,
      h('h2', {}, 'Deliveries'),
      this.deliveries,
    );
    this.polling = new Polling(
      {
        load: () => this.load(),
        draw: ([rules, deliveries]) => {
          this.drawRules(rules);
          this.drawDeliveries(deliveries);
        },
        failed: (error) => this.sayAbsent(error),
      },
      refreshMs,
    );
  }

  close(): void {
    this.polling.close();
  }

  private async load(): Promise<Shown> {
    const [{ rules }, { deliveries }] = await Promise.all([
      this.api.get<AlertRulesAnswer>('/api/alerts/rules'),
      this.api.get<AlertDeliveriesAnswer>('/api/alerts/deliveries?limit=100'),
    ]);
    return [rules, deliveries];
  }

  private sayAbsent(error: unknown): void {
    if (!(error instanceof ApiError) || error.status !== 404) return;
    fill(this.rules, h('p', { class: 'muted' }, 'Alerts are not running in this process.'));
    fill(this.deliveries, h('p', { class: 'muted' }, 'Nothing is sent.'));
  }

  private drawRules(rules: readonly AlertRuleBody[]): void {
    if (rules.length === 0) fill(this.rules, h('p', { class: 'muted' }, 'No rules yet: nobody is told about anything.'));
    else
      fill(
        this.rules,
        table(
          ['Rule', 'Tells about', 'Runs', 'Webhook', 'State', ''],
          rules.map((rule) => this.ruleRow(rule)),
        ),
      );
  }

  private ruleRow(rule: AlertRuleBody): HTMLElement {
    const { id, name, kinds, minSeverity, runFilter, url, enabled, disabledReason, receiver } = rule;
    const button = (label: string, action: () => Promise<void>): HTMLElement =>
      h('button', { type: 'button', class: 'tool', 'aria-label': `${label}: ${name}`, onclick: () => void action() }, label);
    return h(
      'tr',
      {},
      h('td', {}, h('strong', {}, name)),
      h('td', {}, `${kinds.length === 0 ? 'everything' : kinds.join(', ')} from ${minSeverity}`),
      h('td', {}, runFilter === '*' ? 'all' : h('code', {}, runFilter)),
      h('td', { class: 'address' }, url),
      h(
        'td',
        {},
        h('span', { class: enabled ? 'badge on' : 'badge' }, enabled ? 'on' : 'off'),
        disabledReason !== undefined && h('span', { class: 'muted' }, ` ${disabledReason}`),
        receiverState(receiver),
      ),
      h(
        'td',
        { class: 'actions' },
        button('Try', () => this.test(rule)),
        button(enabled ? 'Switch off' : 'Switch on', () => this.save(rule, { enabled: !enabled })),
        button('Delete', () => this.remove(id)),
      ),
    );
  }

  private drawDeliveries(deliveries: readonly AlertDeliveryBody[]): void {
    if (deliveries.length === 0) fill(this.deliveries, h('p', { class: 'muted' }, 'Nothing was sent yet.'));
    else fill(this.deliveries, table(['State', 'Rule', 'Run', 'What', 'Tries', 'Made'], deliveries.map(deliveryRow)));
  }

  private async create(rule: Partial<AlertRuleBody>): Promise<boolean> {
    try {
      const answer = await this.api.send<AlertRuleAnswer>('/api/alerts/rules', { method: 'PUT', body: rule });
      const { secret } = answer.rule;
      fill(
        this.message,
        'The rule holds from now on.',
        secret !== undefined && ' Its signing secret, shown only this once: ',
        secret !== undefined && h('code', {}, secret),
      );
      await this.polling.refresh();
      return true;
    } catch (error) {
      fill(this.message, error instanceof Error ? error.message : 'The rule was refused.');
      return false;
    }
  }

  private async save(rule: AlertRuleBody, change: Partial<AlertRuleBody>): Promise<void> {
    const { id, disabledReason: _, ...fields } = rule;
    await this.attempt(() => this.api.send(rulePath(id), { method: 'PUT', body: { ...fields, ...change } }));
  }

  private async remove(id: string): Promise<void> {
    await this.attempt(() => this.api.send(rulePath(id), { method: 'DELETE' }));
  }

  private async test({ id, name }: AlertRuleBody): Promise<void> {
    fill(this.message, `Trying ${name}…`);
    await this.attempt(async () => {
      const { delivered, status, error } = await this.api.send<AlertTestAnswer>(`${rulePath(id)}/test`, { method: 'POST' });
      fill(
        this.message,
        delivered ? `${name}: the receiver answered ${status ?? 'well'}.` : `${name}: ${error ?? 'not delivered'}`,
      );
    });
  }

  private async attempt(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      fill(this.message, error instanceof Error ? error.message : 'That was refused.');
    }
    await this.polling.refresh();
  }
}

function deliveryRow(one: AlertDeliveryBody): HTMLElement {
  const last = one.tries.at(-1);
  const answer = one.reason ?? last?.error ?? (last?.status === undefined ? '' : `HTTP ${last.status}`);
  const next = one.nextTryMs === undefined ? '' : `next ${new Date(one.nextTryMs).toLocaleTimeString()}`;
  return h(
    'tr',
    {},
    h('td', {}, h('span', { class: 'badge', 'data-state': one.state }, one.state)),
    h('td', {}, one.ruleName),
    h('td', {}, h('a', { href: `/runs/${one.run}` }, one.runName || one.run)),
    h(
      'td',
      {},
      one.findings.map(({ text }) => h('div', {}, text)),
    ),
    h(
      'td',
      {},
      h('span', { class: 'number' }, String(one.tries.length)),
      h('div', { class: 'muted' }, [answer, next].filter((part) => part !== '').join(', ')),
    ),
    h('td', {}, formatAgo(Date.now() - one.createdMs)),
  );
}

/** Nothing while all is well and nothing waits. */
function receiverState(receiver: AlertReceiverBody | undefined): HTMLElement | undefined {
  const { waiting = 0, failingSinceMs, error = '' } = receiver ?? {};
  const waits = waiting === 0 ? '' : `${formatCount(waiting)} waiting`;
  if (failingSinceMs === undefined) return waits === '' ? undefined : h('div', { class: 'muted' }, waits);
  const since = `failing since ${formatAgo(Date.now() - failingSinceMs)}`;
  return h(
    'div',
    {},
    h('span', { class: 'badge', 'data-state': 'failed' }, since),
    h('div', { class: 'muted' }, [error, waits].filter((part) => part !== '').join(', ')),
  );
}

const rulePath = (id: string): string => `/api/alerts/rules/${encodeURIComponent(id)}`;
