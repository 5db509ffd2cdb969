import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FindingBody, RunBody } from '#bus/messages.js';
import { cli } from '../support/cli-process.js';
import { Scene } from '../support/scene.js';
import type { ServiceProcess } from '../support/service-process.js';

const message = 'RuntimeError: CUDA out of memory\n  at line 7 of train.py';

describe('a job that fails', () => {
  const scene = new Scene();
  let service: ServiceProcess;
  let run = '';
  beforeAll(async () => {
    service = await scene.service();
    const job = scene.nodeJob({ address: service.address, steps: 5, name: 'fails', failsWith: message });
    run = await job.run;
    await job.exited;
  });
  afterAll(() => scene.close());

  const ask = async <T>(path: string): Promise<T> => (await (await fetch(`${service.url}/api/runs/${run}${path}`)).json()) as T;

  it('its own words are in the API, in SQL, in show, and the finding that can be alerted on', async () => {
    await expect.poll(async () => (await ask<{ run: RunBody }>('')).run.status, { timeout: 30_000 }).toBe('failed');
    expect((await ask<{ run: RunBody }>('')).run).toMatchObject({ status: 'failed', message, fullBatch: true });
    const { findings } = await ask<{ findings: FindingBody[] }>('/findings');
    expect(findings.filter(({ kind }) => kind === 'failed')).toMatchObject([
      { severity: 'critical', text: 'step 4: the job failed: RuntimeError: CUDA out of memory', evidence: { message } },
    ]);
    const env = { STAGEWATCH_URL: service.url };
    const rows = await cli(['sql', `SELECT message, full_batch FROM runs WHERE run = '${run}'`, '--json'], { env });
    expect(JSON.parse(rows.out)).toEqual({ message, full_batch: true });
    const shown = await cli(['show', run], { env });
    expect(shown.out).toMatch(/\nmessage +RuntimeError: CUDA out of memory ⏎ at line 7 of train.py\n/);
    expect(shown.out).toMatch(/\nbatch +full\n/);
  });
});
