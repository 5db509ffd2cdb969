import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rudenesses, startRudeReceiver } from '../../apps/dashboard/alerts/testing/rude-receiver.js';
import { Scene } from '../support/scene.js';
import { eventually, sqlRows, type LaunchedService } from '../support/service-process.js';
import { startReceiver } from '../support/webhook-receiver.js';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
/** Node 20 forgets some limits of time when garbage is collected: here it is, all the time. */
const collecting = ['--expose-gc', '--import', 'data:text/javascript,setInterval(globalThis.gc, 2000).unref()'];

interface Delivery {
  readonly rule: string;
  readonly state: string;
  readonly tries: readonly { readonly outcome: string; readonly error?: string }[];
}

describe('30 receivers that hang, drip, reset and pour', () => {
  const scene = new Scene();
  let service: LaunchedService;
  let fast: Awaited<ReturnType<typeof startReceiver>>;
  beforeAll(async () => {
    service = await scene.service({ env: { STAGEWATCH_ALERTS_ALLOW_PRIVATE: 'true' }, nodeFlags: collecting });
    // The silent ones first: these hold whatever they can get hold of. Nothing is measured but the first snapshot.
    for (const [i, rudeness] of [...Array.from({ length: 20 }, () => 'never answers' as const), ...rudenesses].entries()) {
      const rude = await startRudeReceiver(rudeness);
      scene.atEnd(() => rude.close());
      await rule(`rude${i}`, rude.url);
    }
    fast = await startReceiver(scene, secret);
    await rule('well', fast.url);
    const job = scene.nodeJob({ address: service.address, steps: 60, nanFrom: 40, snapshotEvery: 1000, name: 'diverges' });
    await job.exited;
  }, 180_000);
  afterAll(() => scene.close());

  async function rule(id: string, url: string): Promise<void> {
    const body = JSON.stringify({ name: id, minSeverity: 'critical', groupSeconds: 0, throttleSeconds: 0, url, secret });
    const headers = { 'content-type': 'application/json' };
    const { status } = await fetch(`${service.url}/api/alerts/rules/${id}`, { method: 'PUT', headers, body });
    expect(status).toBe(200);
  }
  const deliveries = async (): Promise<readonly Delivery[]> => {
    const response = await fetch(`${service.url}/api/alerts/deliveries?limit=1000`);
    return ((await response.json()) as { deliveries: Delivery[] }).deliveries;
  };

  it('the one that behaves is told meanwhile', async () => {
    // How long judging takes on a busy machine is not what is tried here.
    const found = "SELECT count() AS n FROM findings WHERE kind = 'divergence_risk'";
    await eventually(
      () => sqlRows<{ n: string }>(service, found),
      ([row]) => Number(row!.n) > 0,
      150_000,
    );
    await eventually(
      () => Promise.resolve(fast.deliveries.length),
      (count) => count > 0,
    );
    const told = fast.deliveries.flatMap(({ body }) => body.alerts.map(({ labels }) => labels['alertname']));
    expect(told).toContain('divergence_risk');
  }, 200_000);

  it('every try comes to an end, and says how', async () => {
    const all = await eventually(
      deliveries,
      (found) => found.length >= 31 && found.every(({ tries }) => tries.length > 0),
      90_000,
    );
    const silent = all.filter(({ rule }) => /^rude1?\d$/.test(rule));
    expect(silent).toHaveLength(20);
    for (const { tries } of silent) expect(tries[0]).toMatchObject({ outcome: 'retry', error: 'no answer in time' });
  });

  it('the service is well', async () => {
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  });
});
