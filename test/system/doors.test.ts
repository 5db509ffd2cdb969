import { hostname } from 'node:os';
import { execFileSync } from 'node:child_process';
import { createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli-process.js';
import { garbage, throwAt } from '../support/garbage.js';
import { findPrometheus, findPromtool, startPrometheus } from '../support/prometheus.js';
import { runPicture } from '../support/run-picture.js';
import { Scene } from '../support/scene.js';
import { eventually, type LaunchedService } from '../support/service-process.js';
import { startReceiver } from '../support/webhook-receiver.js';

const prometheus = findPrometheus('a real Prometheus that scrapes /metrics');
const promtool = findPromtool('the format of /metrics');
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

const stableCode = /"code":"(MALFORMED_MESSAGE|INVALID_ARGUMENT|NOT_FOUND|MESSAGE_TOO_LARGE)"/;

describe('the doors of one service, while a run diverges', () => {
  const scene = new Scene();
  const steps = 150;
  const nanFrom = 100;
  let service: LaunchedService;
  let receiver: Awaited<ReturnType<typeof startReceiver>>;
  let ruled: Response;
  let run = '';
  beforeAll(async () => {
    service = await scene.service({ env: { STAGEWATCH_ALERTS_ALLOW_PRIVATE: 'true' } });
    receiver = await startReceiver(scene, secret);
    const rule = { name: 'goes wrong', minSeverity: 'critical', groupSeconds: 0, url: receiver.url, secret };
    ruled = await request('PUT', '/api/alerts/rules/wrong', rule);
    const job = scene.nodeJob({ address: service.address, steps, nanFrom, name: 'diverges' });
    run = await job.run;
    await job.exited;
    await runPicture(service, run, 4 * steps);
  });
  afterAll(() => scene.close());

  const request = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(service.url + path, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  const json = async <T>(path: string): Promise<T> => (await (await request('GET', path)).json()) as T;

  it('webhook: the divergence is told once, signed', async () => {
    expect(ruled.status).toBe(200);
    await eventually(
      () => Promise.resolve(receiver.deliveries.length),
      (count) => count > 0,
    );
    for (const { signed, body } of receiver.deliveries) {
      expect(signed).toBe(true);
      expect(body.version).toBe('4');
      for (const { labels } of body.alerts) expect(labels).toMatchObject({ run, severity: 'critical', run_name: 'diverges' });
    }
    const told = receiver.deliveries.flatMap(({ body }) => body.alerts.map(({ labels }) => labels['alertname']));
    expect(told).toContain('divergence_risk');
    expect(new Set(receiver.deliveries.map(({ id }) => id)).size).toBe(receiver.deliveries.length);
    const { deliveries } = await json<{ deliveries: { id: string; state: string }[] }>(`/api/alerts/deliveries?run=${run}`);
    expect(deliveries.find(({ id }) => id === receiver.deliveries[0]!.id)).toMatchObject({ state: 'delivered' });
    // The secret is never shown again.
    expect(await (await request('GET', '/api/alerts/rules')).text()).not.toContain(secret);
  });

  it('NaN and infinities arrive as such: by SQL, as a series, and over the ClickHouse door', async () => {
    const asked = `SELECT name, step, value FROM scalars WHERE run = '${run}' AND name IN ('loss.train', 'odd') AND step IN (0, 1, 2, 120) ORDER BY name, step`;
    const { out } = await cli(['sql', asked, '--format', 'TSV', '--url', service.url]);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(lines.slice(3).map(([, , value]) => value)).toEqual(['nan', '-inf', 'inf', '2', '-inf']);
    for (const line of lines.slice(0, 3)) expect(Number(line[2])).toBeGreaterThan(0);

    interface Series {
      readonly steps: number[];
      readonly values: (number | string)[];
    }
    const loss = await json<Series>(`/api/runs/${run}/series?name=loss.train&max=1000`);
    expect(loss.steps).toEqual(Array.from({ length: steps }, (_, i) => i));
    expect(loss.values.map((value) => value === 'nan')).toEqual(loss.steps.map((step) => step >= nanFrom));
    const odd = await json<Series>(`/api/runs/${run}/series?name=odd&max=1000`);
    expect(odd.values).toEqual(odd.steps.map((step) => ['-inf', 'inf', step][step % 3]));

    const client = createClient({ url: `http://127.0.0.1:${service.ports.clickhouse}`, database: 'stagewatch' });
    try {
      const result = await client.query({
        query: asked,
        format: 'JSONEachRow',
        clickhouse_settings: { output_format_json_quote_denormals: 1, output_format_json_quote_64bit_integers: 0 },
      });
      const rows = await result.json<{ name: string; step: number; value: number | string }>();
      expect(rows.filter(({ name }) => name === 'odd').map(({ value }) => value)).toEqual(['-inf', 'inf', 2, '-inf']);
      expect(rows.find(({ name, step }) => name === 'loss.train' && step === 120)?.value).toBe('nan');
      const counted = await client.query({
        query: `SELECT countIf(isNaN(value)) AS nans, countIf(value = -inf) AS low FROM scalars WHERE run = {run:String}`,
        query_params: { run },
        format: 'JSONEachRow',
        clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
      });
      expect(await counted.json()).toEqual([{ nans: steps - nanFrom, low: steps / 3 }]);
    } finally {
      await client.close();
    }
  });

  it.skipIf(prometheus === undefined)('a real Prometheus scrapes it', async () => {
    const ask = await startPrometheus(scene, prometheus!, `127.0.0.1:${service.ports.http}`);
    expect(
      await eventually(
        () => ask('up{job="stagewatch"}'),
        (value) => value !== undefined,
      ),
    ).toBe(1);
    const durable = await eventually(
      () => ask('stagewatch_records_durable_total'),
      (value) => value !== undefined,
    );
    expect(durable).toBeGreaterThan(10);
    expect(await ask('stagewatch_records_acknowledged_total')).toBe(durable);
    expect(await ask('sum(stagewatch_dead_letters)')).toBe(0);
    expect(await ask('stagewatch_alert_delivery_tries_total{outcome="delivered"}')).toBeGreaterThan(0);
    expect(await ask('histogram_quantile(0.99, stagewatch_freshness_seconds_bucket)')).toBeGreaterThan(0);
    expect(await ask('count({job="stagewatch", run=~".+"}) or vector(0)'), 'a label for each run').toBe(0);
  });

  it.skipIf(promtool === undefined)('promtool has nothing to say about the metrics', async () => {
    const metrics = await (await request('GET', '/metrics')).text();
    expect(execFileSync(promtool!, ['check', 'metrics'], { input: metrics, encoding: 'utf8' })).toBe('');
  });

  it('garbage on every port does not disturb a run that streams meanwhile', { timeout: 60_000 }, async () => {
    const job = scene.nodeJob({ address: service.address, steps: 300, paced: true, snapshotEvery: 20, name: 'undisturbed' });
    const streaming = await job.run;
    job.allow(50);
    await job.untilStep(20);
    const { http, grpc, clickhouse } = service.ports;
    for (const [i, [what, bytes]] of garbage.entries()) {
      job.allow(50 + 15 * i);
      const answers = await Promise.all([
        throwAt(http, bytes, bytes.length === 0 ? 100 : 10_000, stableCode),
        ...[grpc, clickhouse].map((port) => throwAt(port, bytes, 100)),
      ]);
      expect(answers[0], what).toMatch(bytes.length > 0 ? stableCode : /^$/);
      for (const answer of answers) {
        expect(answer, what).not.toContain('root:');
        expect(answer, what).not.toMatch(/^HTTP\/1.1 (2..|500) /);
        // Nothing of the inside: no stack, no path.
        expect(answer, what).not.toMatch(/node_modules|\.js:\d+/);
      }
    }
    job.release();
    expect(await job.exited).toMatchObject({ code: 0, delivered: true, errors: '' });
    const picture = await runPicture(service, streaming, 1200);
    expect(picture).toMatchObject({ status: 'finished', rows: 1200, identities: 1200 });
    expect(picture.findings.filter((finding) => /^(gap|lost|resumed) /.test(finding))).toEqual([]);
    expect((await request('GET', '/readyz')).status).toBe(200);
    expect(service.log()).not.toMatch(/"level":(50|60)|unhandled|uncaught/i);
  });

  it('on another address than loopback it does not start without a token, and starts with one', async () => {
    const ports = ['http', 'grpc', 'clickhouse'].flatMap((port) => [`--port-${port}`, '0']);
    const args = ['up', '--host', '0.0.0.0', '--data', scene.path('open'), ...ports];
    expect(await cli(args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining('STAGEWATCH_TOKEN') });
    const withToken = await cli(args, { env: { STAGEWATCH_TOKEN: 'a-token-of-some-length' }, interruptAfter: /is ready/ });
    expect(withToken).toMatchObject({ code: 0, out: expect.stringContaining(`http://${hostname()}:`) });
    expect(withToken.out).not.toContain('http://0.0.0.0');
  });
});
