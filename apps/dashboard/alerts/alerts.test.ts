import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { encodeJson, type FindingBody } from '#bus/messages.js';
import { Metrics } from '#runtime/metrics.js';
import { createAlerts, type Alerts, type AlertsOptions, type DeliveryView } from './index.js';
import { ManualClock } from './testing/manual-clock.js';
import { signatureIsRight, startReceiver, type Receiver } from './testing/receiver.js';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const run = 'r0000000000abcdefghjkmnpqrs';

let path: string;
let bus: Bus;
let receiver: Receiver;
let clock: ManualClock;
let alerts: Alerts;
let logged: string;

const logger = pino(
  { level: 'trace' },
  new Writable({
    write(chunk: Buffer, _, done) {
      logged += chunk.toString();
      done();
    },
  }),
);

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

async function start(options: Partial<AlertsOptions> = {}): Promise<Alerts> {
  const config = { alertsAllowPrivate: true, host: '127.0.0.1', ports: { grpc: 1, http: 7580, clickhouse: 1 } };
  const made = createAlerts({ bus, config, logger, metrics: new Metrics(), clock, ...options });
  await made.start();
  return made;
}

async function restart(options: Partial<AlertsOptions> = {}): Promise<void> {
  await alerts.close();
  alerts = await start(options);
}

function rule(fields: object = {}): Promise<object> {
  return alerts.rules.put({
    id: 'one',
    name: 'My rule',
    url: receiver.url,
    secret,
    groupSeconds: 0,
    throttleSeconds: 0,
    ...fields,
  });
}

function finding(id: string, fields: Partial<FindingBody> = {}): FindingBody {
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

async function find(...findings: readonly FindingBody[]): Promise<void> {
  await bus.publish(
    'findings',
    findings.map((body) => ({ subject: body.run, id: body.id, body: encodeJson(body) })),
  );
}

/** What happens in the background has happened. */
async function eventually<T>(ask: () => T | Promise<T>, right: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const value = await ask();
    if (right(value)) return value;
    if (tries > 400) throw new Error(`not so in time: ${JSON.stringify(value)}`);
    await delay(10);
  }
}

const receivedBy = (count: number) =>
  eventually(
    () => receiver.received,
    (received) => received.length >= count,
  );
const deliveriesThat = (right: (all: readonly DeliveryView[]) => boolean) => eventually(() => alerts.deliveries(), right);
const inState = (state: DeliveryView['state'], tries: number) => (all: readonly DeliveryView[]) =>
  all[0]?.state === state && all[0].tries.length === tries;
/** Everything that is published is in the outbox, or was not wanted. */
const taken = async () => {
  const group = await bus.group('findings', 'alerts');
  await eventually(
    () => group.depth(),
    (depth) => depth.messages === 0,
  );
};
const summaries = (index: number) => receiver.received[index]!.body.alerts.map((alert) => alert.annotations['summary']);

describe('alerts - delivery', () => {
  test('a finding reaches the receiver of a matching rule, signed, in the shape of Alertmanager', async () => {
    await rule({ kinds: ['divergence_risk'], minSeverity: 'warning', runFilter: 'demo/dig*' });
    await find(
      finding('wanted'),
      finding('other kind', { kind: 'stage' }),
      finding('too mild', { severity: 'info' }),
      finding('other run', { runName: 'mnist' }),
    );
    const [hook] = await receivedBy(1);
    await taken();
    expect(signatureIsRight(hook!, secret)).toBe(true);
    expect(Number(hook!.headers['webhook-timestamp'])).toBe(Math.floor(clock.nowMs() / 1000));
    expect(hook!.headers['content-type']).toBe('application/json');
    expect(hook!.body).toMatchObject({
      version: '4',
      status: 'firing',
      receiver: 'My rule',
      groupLabels: { run },
      truncatedAlerts: 0,
      externalURL: 'http://127.0.0.1:7580',
      commonLabels: { alertname: 'divergence_risk', run_name: 'digits' },
      alerts: [
        {
          status: 'firing',
          labels: { alertname: 'divergence_risk', severity: 'critical', project: 'demo', run, attempt: '1' },
          annotations: { summary: 'finding wanted', step: '165', onset: '160', evidence: '{"loss":"nan"}' },
          startsAt: new Date(1_790_000_000_000).toISOString(),
          generatorURL: `http://127.0.0.1:7580/runs/${run}`,
        },
      ],
    });
    expect(hook!.body['groupKey']).toContain(run);
    const [delivery] = await deliveriesThat(inState('delivered', 1));
    expect(delivery).toMatchObject({
      rule: 'one',
      run,
      runName: 'digits',
      project: 'demo',
      findings: [{ id: 'wanted', step: 165 }],
    });
    expect(delivery!.id).toBe(hook!.headers['webhook-id']);
    expect(receiver.received).toHaveLength(1);
  });

  test('a failing receiver is tried again by the schedule, with the same id and body, until it takes it', async () => {
    receiver.answers.push(
      (response) => response.writeHead(500).end('broken'),
      (response) => response.destroy(),
    );
    await rule();
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    clock.advance(4_900);
    await delay(50);
    expect(receiver.received).toHaveLength(1);
    clock.advance(700);
    await deliveriesThat(inState('pending', 2));
    clock.advance(33_000);
    const [delivery] = await deliveriesThat(inState('delivered', 3));
    expect(delivery!.tries.map((entry) => [entry.outcome, entry.status])).toEqual([
      ['retry', 500],
      ['retry', undefined],
      ['delivered', 204],
    ]);
    expect(new Set(receiver.received.map((hook) => hook.headers['webhook-id'])).size).toBe(1);
    expect(new Set(receiver.received.map((hook) => hook.text)).size).toBe(1);
    expect(new Set(receiver.received.map((hook) => hook.headers['webhook-timestamp'])).size).toBe(3);
    expect(receiver.received.every((hook) => signatureIsRight(hook, secret))).toBe(true);
  });

  test('Retry-After is waited for when it is longer than the schedule', async () => {
    receiver.answers.push((response) => response.writeHead(429, { 'retry-after': '3600' }).end());
    await rule();
    await find(finding('a'));
    const [delivery] = await deliveriesThat(inState('pending', 1));
    expect(delivery!.nextTryMs! - clock.nowMs()).toBe(3_600_000);
    clock.advance(3_599_000);
    await delay(50);
    expect(receiver.received).toHaveLength(1);
    clock.advance(1_000);
    await receivedBy(2);
  });

  test('after the last try of two days the delivery has failed, and says why', async () => {
    await rule();
    for (let i = 0; i < 10; i++) receiver.answers.push((response) => response.writeHead(503).end());
    await find(finding('a'));
    for (let tries = 1; tries < 10; tries++) {
      const [delivery] = await deliveriesThat(inState('pending', tries));
      clock.advance(delivery!.nextTryMs! - clock.nowMs());
    }
    const [delivery] = await deliveriesThat(inState('failed', 10));
    expect(delivery!.reason).toContain('503');
    expect(delivery!.tries.at(-1)!.timeMs - delivery!.createdMs).toBeGreaterThan(40 * 3_600_000);
  });

  test('410 switches the rule off, and the answer is kept', async () => {
    receiver.answers.push((response) => response.writeHead(410).end());
    await rule();
    await find(finding('a'));
    await deliveriesThat(inState('failed', 1));
    const [disabled] = await eventually(
      () => alerts.rules.list(),
      ([view]) => view?.enabled === false,
    );
    expect(disabled!.disabledReason).toContain('410');
    await find(finding('b'));
    await taken();
    expect(receiver.received).toHaveLength(1);
    await rule();
    expect((await alerts.rules.list())[0]).not.toHaveProperty('disabledReason');
    await find(finding('c'));
    await receivedBy(2);
    expect(summaries(1)).toEqual(['finding c']);
  });

  test('a redirect is not followed', async () => {
    const elsewhere = await startReceiver();
    receiver.answers.push((response) => response.writeHead(307, { location: elsewhere.url }).end());
    await rule();
    await find(finding('a'));
    const [delivery] = await deliveriesThat(inState('pending', 1));
    expect(delivery!.tries[0]).toMatchObject({ outcome: 'retry', status: 307 });
    expect(elsewhere.received).toEqual([]);
    await elsewhere.close();
  });
});

describe('alerts - grouping and throttling', () => {
  test('findings of one run within the window travel together, those of another run apart', async () => {
    await rule({ groupSeconds: 10 });
    await find(finding('a'), finding('b'));
    await find(finding('other', { run: 'r0000000000zzzzzzzzzzzzzzzz' }));
    await taken();
    clock.advance(6_000);
    await find(finding('c'));
    await taken();
    expect(receiver.received).toEqual([]);
    clock.advance(4_000);
    await receivedBy(2);
    const sent = [summaries(0), summaries(1)].sort((one, other) => other.length - one.length);
    expect(sent.map((texts) => texts.toSorted((one, other) => one!.localeCompare(other!)))).toEqual([
      ['finding a', 'finding b', 'finding c'],
      ['finding other'],
    ]);
  });

  test('after a delivery later findings are collected, and none is lost', async () => {
    await rule({ throttleSeconds: 60 });
    await find(finding('a'));
    await deliveriesThat(inState('delivered', 1));
    for (const id of ['b', 'c', 'd']) {
      await find(finding(id));
      await taken();
      clock.advance(15_000);
    }
    await delay(50);
    expect(receiver.received).toHaveLength(1);
    clock.advance(15_000);
    await receivedBy(2);
    expect(summaries(1)).toEqual(['finding b', 'finding c', 'finding d']);
  });

  test('while a receiver is down, findings collect and travel in one delivery after the one that waits', async () => {
    await rule();
    receiver.answers.push((response) => response.writeHead(500).end());
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    await find(finding('b'), finding('c'));
    await taken();
    clock.advance(6_000);
    await receivedBy(3);
    expect([summaries(1), summaries(2)]).toEqual([['finding a'], ['finding b', 'finding c']]);
  });

  test('a hundred findings are the most of one delivery', async () => {
    await rule({ groupSeconds: 10 });
    await find(...Array.from({ length: 130 }, (_, i) => finding(`f${i}`)));
    await taken();
    clock.advance(10_000);
    await receivedBy(2);
    expect([summaries(0).length, summaries(1).length]).toEqual([100, 30]);
    expect(new Set([...summaries(0), ...summaries(1)]).size).toBe(130);
  });
});

describe('alerts - crashes', () => {
  test('between outbox and commit: the finding comes again and is told once', async () => {
    await rule({ groupSeconds: 10 });
    const dies: Bus = Object.assign(Object.create(bus) as Bus, {
      group: async (...args: Parameters<Bus['group']>) => {
        const group = await bus.group(...args);
        return {
          ...group,
          take: async (options: Parameters<typeof group.take>[0]) => {
            const lease = await group.take(options);
            const died = (): Promise<void> => Promise.reject(new Error('killed before the commit'));
            return (
              lease && Object.assign(Object.create(lease) as typeof lease, { commit: died, release: () => new Promise(() => {}) })
            );
          },
        };
      },
    });
    const killed = createAlerts({
      bus: dies,
      config: { alertsAllowPrivate: true, host: '127.0.0.1', ports: { grpc: 1, http: 1, clickhouse: 1 } },
      logger,
      metrics: new Metrics(),
      clock,
    });
    await alerts.close();
    await killed.start();
    await find(finding('a'));
    await eventually(
      () => logged,
      (lines) => lines.includes('killed before the commit'),
    );
    // The process is gone: its lease with it.
    await bus.close();
    bus = await openLmdbBus({ path });
    alerts = await start();
    await taken();
    clock.advance(10_000);
    await receivedBy(1);
    clock.advance(60_000);
    await delay(50);
    expect(receiver.received).toHaveLength(1);
    expect(summaries(0)).toEqual(['finding a']);
  });

  test('a restart goes on with what waits: same id, same body, tries counted on', async () => {
    await rule();
    receiver.answers.push((response) => response.writeHead(500).end());
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    await find(finding('b'));
    await taken();
    await restart();
    clock.advance(6_000);
    await receivedBy(3);
    expect(receiver.received[1]!.text).toBe(receiver.received[0]!.text);
    expect(receiver.received[1]!.headers['webhook-id']).toBe(receiver.received[0]!.headers['webhook-id']);
    expect(summaries(2)).toEqual(['finding b']);
    await deliveriesThat((all) => all.length === 2 && all.every((delivery) => delivery.state === 'delivered'));
    await restart();
    await delay(50);
    expect(receiver.received).toHaveLength(3);
  });

  test('what is no finding is set aside and stops nobody', async () => {
    await rule();
    await bus.publish('findings', [{ subject: run, id: 'garbage', body: Buffer.from('{"id":') }]);
    await find(finding('a'));
    await receivedBy(1);
    const letters = await (await bus.group('findings', 'alerts')).deadLetters();
    expect(letters.map((letter) => [letter.message.id, letter.reason])).toEqual([['garbage', 'not a finding']]);
  });
});

describe('alerts - rules', () => {
  test('a deleted or disabled rule sends nothing any more, and its waiting delivery is cancelled', async () => {
    await rule();
    receiver.answers.push((response) => response.writeHead(500).end());
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    expect(await alerts.rules.delete('one')).toBe(true);
    const [delivery] = await deliveriesThat(inState('cancelled', 1));
    expect(delivery!.reason).toContain('deleted');
    clock.advance(3_600_000);
    await delay(50);
    expect(receiver.received).toHaveLength(1);
  });

  test('a corrected address gets what waits, at once', async () => {
    const right = await startReceiver();
    receiver.answers.push((response) => response.writeHead(404).end());
    await rule();
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    await rule({ url: right.url });
    await eventually(
      () => right.received,
      (received) => received.length > 0,
    );
    expect([receiver.received.length, right.received.length]).toEqual([1, 1]);
    await right.close();
  });

  test.each([
    [{ url: 'ftp://example.org/' }, 'rule.url'],
    [{ url: 'nonsense' }, 'rule.url'],
    [{ url: 'https://user:pass@example.org/' }, 'rule.url'],
    [{ secret: 'whsec_c2hvcnQ=' }, 'rule.secret'],
    [{ secret: 'plain' }, 'rule.secret'],
    [{ name: '' }, 'rule.name'],
    [{ id: 'a/b' }, 'rule.id'],
    [{ minSeverity: 'bad' }, 'rule.minSeverity'],
    [{ throttleSeconds: -1 }, 'rule.throttleSeconds'],
    [{ groupSeconds: '5' }, 'rule.groupSeconds'],
    [{ kinds: 'stage' }, 'rule.kinds'],
  ])('%j is refused with its field', async (fields, field) => {
    await expect(rule(fields)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', detail: { field } });
    expect(await alerts.rules.list()).toEqual([]);
  });

  test('the secret is shown once when it is made, never in a list, and never logged', async () => {
    const made = (await alerts.rules.put({ name: 'x', url: `${receiver.url}?token=hidden-in-url` })) as {
      id: string;
      secret: string;
    };
    expect(made.secret).toMatch(/^whsec_/);
    await alerts.rules.put({ id: made.id, name: 'y', url: `${receiver.url}?token=hidden-in-url`, groupSeconds: 0 });
    receiver.answers.push((response) => response.writeHead(500).end());
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    expect(signatureIsRight(receiver.received[0]!, made.secret)).toBe(true);
    const bare = made.secret.slice('whsec_'.length);
    expect(JSON.stringify(await alerts.rules.list())).not.toContain(bare);
    expect(JSON.stringify(await alerts.deliveries())).not.toContain(bare);
    expect(logged).toContain('alert delivery tried');
    expect(logged).not.toContain(bare);
    expect(logged).not.toContain('hidden-in-url');
    await restart();
    expect((await alerts.rules.list()).map((view) => view.name)).toEqual(['y']);
  });

  test('a test goes to the receiver once and tells what it said', async () => {
    await rule();
    receiver.answers.push((response) => response.writeHead(403).end());
    expect(await alerts.test('one')).toEqual({ delivered: false, status: 403, error: 'the receiver answered 403' });
    expect(await alerts.test('one')).toEqual({ delivered: true, status: 204 });
    expect(receiver.received.every((hook) => signatureIsRight(hook, secret))).toBe(true);
    await expect(alerts.test('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await alerts.deliveries()).toEqual([]);
  });
});

describe('alerts - forgery of requests', () => {
  const locked = {
    config: { alertsAllowPrivate: false, host: '127.0.0.1', ports: { grpc: 1, http: 7580, clickhouse: 1 } },
  };

  test('a private address is refused in a rule', async () => {
    await restart(locked);
    for (const url of [receiver.url, 'http://localhost:1/', 'http://[::1]/', 'http://0x7f.1/', 'http://[::ffff:10.0.0.1]/']) {
      await expect(rule({ url })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', detail: { field: 'rule.url' } });
    }
  });

  test('a name that leads to a private address is not connected to', async () => {
    const asked: string[] = [];
    const resolve = (host: string) => {
      asked.push(host);
      return Promise.resolve([
        { address: '93.184.215.14', family: 4 as const },
        { address: '127.0.0.1', family: 4 as const },
      ]);
    };
    await restart({ ...locked, resolve });
    await rule({ url: `http://hook.example:${receiver.port}/` });
    await find(finding('a'));
    const [delivery] = await deliveriesThat(inState('pending', 1));
    expect(delivery!.tries[0]!.error).toContain('not a public address');
    expect(asked).toEqual(['hook.example']);
    expect(receiver.received).toEqual([]);
  });

  test('the connection goes to the address that was checked, and the name is asked once a try', async () => {
    let asked = 0;
    const resolve = () => Promise.resolve([{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 as const }]);
    await restart({ resolve });
    await rule({ url: `http://name.that.does.not.exist.invalid:${receiver.port}/` });
    await find(finding('a'));
    await deliveriesThat(inState('delivered', 1));
    expect(asked).toBe(1);
    expect(receiver.received[0]!.headers.host).toBe(`name.that.does.not.exist.invalid:${receiver.port}`);
  });
});

test('alerts - a forgotten run leaves nothing behind', async () => {
  await rule();
  receiver.answers.push((response) => response.writeHead(500).end());
  await find(finding('a'));
  await deliveriesThat(inState('pending', 1));
  await find(finding('b'));
  await taken();
  await alerts.forgetRun(run);
  clock.advance(3_600_000);
  await delay(50);
  expect(receiver.received).toHaveLength(1);
  expect(await alerts.deliveries()).toEqual([]);
  for await (const entry of bus.kv('alert-outbox').entries()) expect(entry.key).toBe('nothing');
});
