import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cli } from '../support/cli-process.js';
import { tfjsDir } from '../support/executors.js';
import { leftOut } from '../support/needs.js';
import { freePorts } from '../support/service-process.js';

const built = existsSync(join(tfjsDir(), 'tfjs-node'));
if (!built) leftOut('stagewatch setup tfjs, a second time', 'tfjs-node (stagewatch setup tfjs --dir .cache/tfjs)');

async function doctor(...args: string[]): ReturnType<typeof cli> {
  const { http, grpc, clickhouse } = await freePorts();
  const ports = ['--port-http', http, '--port-grpc', grpc, '--port-clickhouse', clickhouse].map(String);
  return cli(['doctor', ...ports, ...args], { env: { STAGEWATCH_TFJS_DIR: tfjsDir() } });
}

describe('executors on the command line', { timeout: 90_000 }, () => {
  it('doctor --verify: op by op, for people and as JSON', async () => {
    const asJson = await doctor('--verify', '--executor', 'tfjs-cpu', '--json');
    expect(asJson.code).toBe(0);
    const { healthy, executors, operators } = JSON.parse(asJson.out) as {
      healthy: boolean;
      executors: { name: string; chosen: boolean }[];
      operators: { ok: boolean; rows: { op: string; cells: Record<string, { ok: boolean; error: number }> }[] };
    };
    expect(healthy && operators.ok).toBe(true);
    expect(executors.find(({ chosen }) => chosen)).toMatchObject({ name: 'tfjs-cpu' });
    const tanh = operators.rows.find(({ op }) => op === 'tanh')!.cells['tfjs-cpu']!;
    expect(tanh.ok).toBe(true);
    expect(tanh.error).toBeGreaterThan(0);
    const text = await doctor('--verify', '--executor', 'tfjs-cpu');
    expect(text.out).toMatch(/\n {2}tanh +pass \de-\d\n[^]*\nReady\.\n$/);
  });

  it('doctor: an executor that is asked for and not there is exit code 1, and one that is not known is named', async () => {
    const { code, out } = await doctor('--executor', 'ort-cuda');
    expect([code, /refused +ort-cuda/.test(out)]).toEqual([out.includes('chosen') ? 0 : 1, !out.includes('chosen')]);
    expect(await doctor('--executor', 'abacus')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/no executor 'abacus'.*ort-cpu/),
    });
  });

  it('setup: says what can be set up', async () => {
    expect(await cli(['setup'])).toMatchObject({ code: 2, err: expect.stringContaining("'tfjs' is all that there is") });
    expect(await cli(['setup', 'cuda'])).toMatchObject({ code: 2 });
  });

  it.skipIf(!built)('setup tfjs, a second time: checks what is there and keeps it', async () => {
    const again = await cli(['setup', 'tfjs', '--dir', tfjsDir()]);
    expect(again).toMatchObject({ code: 0, out: expect.stringMatching(/^tfjs-node is there and works: TensorFlow 2\.\d+\.\d+/) });
    expect(again.err).not.toContain('Installing');
  });
});
