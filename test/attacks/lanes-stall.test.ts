import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createIngestClient } from '#wire/client.js';
import { withScene } from '../support/scene.js';
import { eventually, sqlRows } from '../support/service-process.js';
import { WireJob } from './support/watched-model.js';

const lostAfterMs = 3000;

it('a service that stood still does not call a healthy run lost, and still finds one that is', { timeout: 120_000 }, () =>
  withScene(async (scene) => {
    const service = await scene.service({ env: { STAGEWATCH_LOST_AFTER_MS: String(lostAfterMs) } });
    const client = createIngestClient({ address: service.address });
    scene.atEnd(() => client.close());
    const job = await WireJob.attach(client);
    const findings = (): Promise<{ kind: string }[]> =>
      sqlRows(service, `SELECT kind FROM findings WHERE run = '${job.id}' ORDER BY time`);

    let step = 0;
    let healthy = true;
    const beating = (async () => {
      while (healthy) {
        await job.heartbeat(step++);
        await sleep(200);
      }
    })();
    // When the test fails first, nobody waits for it.
    beating.catch(() => undefined);
    for (let round = 0; round < 3; round++) {
      await sleep(1000);
      service.signal('SIGSTOP');
      await sleep(3 * lostAfterMs);
      service.signal('SIGCONT');
    }
    await sleep(1000);
    expect(await findings()).toEqual([]);

    healthy = false;
    await beating;
    expect(await eventually(findings, (rows) => rows.length > 0)).toEqual([{ kind: 'lost' }]);
  }),
);
