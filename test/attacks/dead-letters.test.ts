import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLmdbBus } from '#bus/index.js';
import { cli } from '../support/cli-process.js';
import { Scene } from '../support/scene.js';
import { eventually, freePorts, sqlRows, type LaunchedService } from '../support/service-process.js';
import { startReceiver } from '../support/webhook-receiver.js';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

describe('a record that nobody can read', () => {
  const scene = new Scene();
  let service: LaunchedService;
  let receiver: Awaited<ReturnType<typeof startReceiver>>;
  let run = '';

  beforeAll(async () => {
    const env = { STAGEWATCH_ALERTS_ALLOW_PRIVATE: 'true' };
    const ports = await freePorts();
    const before = await scene.service({ ports, env });
    const job = scene.nodeJob({ address: before.address, steps: 20, snapshotEvery: 1000, name: 'bitten' });
    run = await job.run;
    await job.exited;
    receiver = await startReceiver(scene, secret);
    const body = JSON.stringify({
      name: 'all',
      minSeverity: 'warning',
      groupSeconds: 0,
      throttleSeconds: 0,
      url: receiver.url,
      secret,
    });
    const headers = { 'content-type': 'application/json' };
    await fetch(`${before.url}/api/alerts/rules/all`, { method: 'PUT', headers, body });
    await before.stop();
    // As a fault on the disk would leave it.
    const bus = await openLmdbBus({ path: join(scene.path('data'), 'bus') });
    await bus.publish('records', [{ subject: run, id: 'damaged', body: Buffer.from([255, 1, 2, 3]) }]);
    await bus.close();
    service = await scene.service({ ports, env });
  }, 240_000);
  afterAll(() => scene.close());

  const letters = async (...more: string[]): Promise<{ id: string; group: string; reason: string }[]> =>
    JSON.parse((await cli(['dead-letters', 'list', '--json', '--url', service.url, ...more])).out) as never;

  it('is a finding of its run, for each group that could not use it, and an alert', async () => {
    const rows = await eventually(
      () =>
        sqlRows<{ detail: string; severity: string; text: string }>(
          service,
          `SELECT detail, severity, text FROM findings WHERE run = '${run}' AND kind = 'dead_letter' ORDER BY detail`,
        ),
      (found) => found.length >= 2,
      150_000,
    );
    expect(rows.map(({ detail, severity }) => [detail, severity])).toEqual([
      ['judge', 'warning'],
      ['ledger', 'warning'],
    ]);
    expect(rows[1]!.text).toContain('not an envelope');
    expect(rows[1]!.text).toContain(`stagewatch dead-letters show records/ledger/${run}/`);
    await eventually(
      () => Promise.resolve(receiver.deliveries.flatMap(({ body }) => body.alerts)),
      (alerts) => alerts.filter(({ labels }) => labels['alertname'] === 'dead_letter').length >= 2,
      60_000,
    );
  }, 240_000);

  it('is counted, now and in all', async () => {
    const text = await eventually(
      async () => (await fetch(`${service.url}/metrics`)).text(),
      (text) =>
        /^stagewatch_dead_letters\{stream="records",group="judge"\} 1$/m.test(text) &&
        text.includes('stagewatch_dead_letters_total{stream="records",group="ledger"} 1'),
    );
    expect(text).toContain('stagewatch_findings_total{kind="dead_letter"} 2');
  });

  it('is listed and shown by a command, and named by doctor', async () => {
    const all = await letters();
    expect(all.map(({ group }) => group).sort()).toEqual(['judge', 'ledger']);
    const shown = await cli(['dead-letters', 'show', all[0]!.id, '--url', service.url]);
    expect(shown.out).toContain('4 bytes that are no record');
    const doctor = await cli(['doctor', '--json', '--data', scene.path('data'), ...portFlags()]);
    expect(doctor.out).toContain('2 set aside');
  });

  it('fails again when it is retried, and is gone when it is dropped', async () => {
    const retried = await cli(['dead-letters', 'retry', '--group', 'ledger', '--url', service.url]);
    expect(retried.out).toContain('1 go');
    await eventually(
      () => letters('--group', 'ledger'),
      (found) => found.length === 1,
    );
    await cli(['dead-letters', 'drop', '--run', run, '--url', service.url]);
    expect(await letters()).toEqual([]);
    const none = await cli(['dead-letters', 'drop', '--url', service.url]);
    expect(none.code).toBe(2);
  });

  function portFlags(): string[] {
    const { http, grpc, clickhouse } = service.ports;
    return ['--port-http', `${http}`, '--port-grpc', `${grpc}`, '--port-clickhouse', `${clickhouse}`];
  }
});
