import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attach, Talk, type Attached } from '../../apps/collector/testing/talk.js';
import { createIngestClient, type IngestClient } from '#wire/client.js';
import { Scene } from '../support/scene.js';
import { eventually, sqlRows, type LaunchedService } from '../support/service-process.js';

describe('a record as large as the door lets in', () => {
  const scene = new Scene();
  let service: LaunchedService;
  let client: IngestClient;
  beforeAll(async () => {
    service = await scene.service();
    client = createIngestClient({ address: service.address });
  }, 180_000);
  afterAll(async () => {
    client.close();
    await scene.close();
  });

  async function send(run: Attached, points: number, names: readonly string[]): Promise<void> {
    const steps = Math.ceil(points / names.length);
    const talk = new Talk(client, run);
    talk.send({
      sequence: 1,
      step: steps - 1,
      scalars: {
        names: [...names],
        nameIndex: Array.from({ length: points }, (_, i) => i % names.length),
        steps: Array.from({ length: points }, (_, i) => Math.floor(i / names.length)),
        values: Array.from({ length: points }, (_, i) => 1 / (1 + i)),
      },
    });
    await talk.untilAcknowledged(1);
    await talk.end();
  }

  it.each([
    ['of logged numbers', 250_000, ['a', 'b', 'c']],
    ['of numbers that are judged', 150_000, ['loss.train', 'lr']],
  ])(
    '%s: acknowledged, stored, and nothing is set aside',
    async (_, points, names) => {
      const run = await attach(client, { name: 'large' });
      await send(run, points, names);
      const rows = await eventually(
        () => sqlRows<{ n: string }>(service, `SELECT count() AS n FROM scalars WHERE run = '${run.runId}'`),
        ([row]) => Number(row!.n) === points,
        90_000,
      );
      expect(Number(rows[0]!.n)).toBe(points);
      const metrics = await eventually(
        async () => (await fetch(`${service.url}/metrics`)).text(),
        (text) => /stagewatch_queue_depth\{stream="records",group="judge"\} 0/.test(text),
        90_000,
      );
      expect(metrics).not.toMatch(/^stagewatch_dead_letters_total\{.*\} [1-9]/m);
    },
    240_000,
  );
});
