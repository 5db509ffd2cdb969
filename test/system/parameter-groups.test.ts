import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';
import { findPython } from '../support/needs.js';
import { untilMeasured } from '../support/run-picture.js';
import { Scene } from '../support/scene.js';
import { eventually, sqlRows, type ServiceProcess } from '../support/service-process.js';

const python = findPython('groups of parameters (test/system/parameter-groups.test.ts)', ['torch', 'grpc', 'google.protobuf']);

interface Line {
  readonly run?: string;
  readonly step?: number;
  readonly truth?: number;
}

/** A job whose biases have a learning rate of their own and no decay, halved on its way, against PyTorch's dense Hessian in float64. */
describe.skipIf(python === undefined)('PyTorch - groups of parameters with learning rates of their own', () => {
  const scene = new Scene();
  let service: ServiceProcess;
  let run = '';
  let truth: readonly Line[] = [];

  beforeAll(async () => {
    service = await scene.service();
    const script = join(packageRoot, 'test/system/jobs/torch_groups.py');
    const { stdout } = await promisify(execFile)(python!, [script, JSON.stringify({ address: service.address, steps: 40 })], {
      env: { ...process.env, PYTHONPATH: join(packageRoot, 'libs/probes/python/src'), PYTHONWARNINGS: 'ignore' },
    });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    run = lines.find((line) => line.run !== undefined)!.run!;
    truth = lines.filter((line) => line.step !== undefined);
    await eventually(
      () => sqlRows<{ status: string }>(service, `SELECT status FROM runs WHERE run = '${run}'`),
      ([row]) => row?.status === 'finished',
      60_000,
    );
    await untilMeasured(service, run);
  }, 200_000);
  afterAll(() => scene.close());

  const readings = (name: string) =>
    sqlRows<{ step: string; value: number; bound: number }>(
      service,
      `SELECT step, value, bound FROM readings WHERE run = '${run}' AND name = '${name}' ORDER BY step`,
    );

  it('λ1 of the preconditioned Hessian is that of PyTorch, within its bound, before and after the rates are halved', async () => {
    const measured = new Map((await readings('sharpness.preconditioned')).map((row) => [Number(row.step), row]));
    expect(truth.length).toBeGreaterThan(6);
    expect(truth.some(({ step }) => step! > 20)).toBe(true);
    const wrong = truth.filter(({ step, truth: value }) => {
      const found = measured.get(step!);
      return found === undefined || !(Math.abs(found.value - value!) <= Math.min(1e-3 * value!, found.bound));
    });
    expect(wrong).toEqual([]);
  });

  it('the threshold is 2, whatever the rates are', async () => {
    const thresholds = await readings('sharpness.threshold');
    expect(new Set(thresholds.map(({ value }) => value))).toEqual(new Set([2]));
    const ratios = new Map((await readings('edge.ratio')).map(({ step, value }) => [step, value]));
    for (const { step, value } of await readings('sharpness.preconditioned')) expect(ratios.get(step)).toBeCloseTo(value / 2, 12);
  });
});
