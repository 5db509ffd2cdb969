import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';
import { findPython } from '../support/needs.js';
import { untilMeasured } from '../support/run-picture.js';
import { eventually, sqlRows, startServiceProcess, type ServiceProcess } from '../support/service-process.js';

/**
 * The example script, attached with its three lines to the real service, against PyTorch's own double backward in
 * float64 at every step that was measured.
 */
const python = findPython('λ1 against PyTorch (test/system/pytorch.test.ts)', ['torch', 'sklearn', 'grpc', 'google.protobuf']);
const steps = 160;
/** Reaches the edge within those steps. */
const learningRate = 1.5;
/** What was promised, relative to PyTorch's value. */
const tolerance = 1e-3;

interface Truth {
  readonly step: number;
  readonly sharpness: number;
}

describe.skipIf(python === undefined)('PyTorch - digits, full batch, to the edge of stability', () => {
  let dataDir = '';
  let service: ServiceProcess;
  let runId = '';
  let truth: readonly Truth[] = [];

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'stagewatch-pytorch-'));
    service = await startServiceProcess({ dataDir });
    const lines = await train(service.address);
    runId = (lines[0] as { run: string }).run;
    truth = lines.slice(1) as Truth[];
    const ended = `SELECT status FROM runs WHERE run = '${runId}'`;
    await eventually(
      () => sqlRows<{ status: string }>(service, ended),
      ([row]) => row?.status === 'finished',
      60_000,
    );
    await untilMeasured(service, runId);
  }, 300_000);

  afterAll(async () => {
    await service?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('every measured λ1 agrees with double backward, and with the bound that it came with', async () => {
    const sql = `SELECT step, value, bound FROM readings WHERE run = '${runId}' AND name = 'sharpness' ORDER BY step`;
    const rows = await sqlRows<{ step: string; value: number; bound: number }>(service, sql);
    const measured = new Map(rows.map(({ step, value, bound }) => [Number(step), { value, bound }]));
    expect(truth.length).toBeGreaterThan(40);
    const wrong = truth.filter(({ step, sharpness }) => {
      const error = Math.abs((measured.get(step)?.value ?? Number.NaN) - sharpness);
      return !(error <= tolerance * sharpness);
    });
    expect(wrong).toEqual([]);
    const bounded = truth.filter(
      ({ step, sharpness }) => Math.abs(measured.get(step)!.value - sharpness) <= measured.get(step)!.bound,
    );
    expect(bounded.length / truth.length).toBeGreaterThan(0.95);
  });

  it('the stages come in their order', async () => {
    const sql = `SELECT to_label AS stage FROM findings WHERE run = '${runId}' AND kind = 'stage' ORDER BY step`;
    const stages = (await sqlRows<{ stage: string }>(service, sql)).map(({ stage }) => stage);
    expect(stages).toEqual(['transient', 'saturation', 'sharpening', 'edge']);
  });

  it('the loss that the service measures is the one that PyTorch stepped', async () => {
    const sql = `SELECT s.step AS step, s.value AS logged, r.value AS measured FROM scalars AS s
      JOIN readings AS r ON r.run = s.run AND r.step = s.step
      WHERE s.run = '${runId}' AND s.name = 'loss.train' AND r.name = 'loss.probe'`;
    const rows = await sqlRows<{ step: string; logged: number; measured: number }>(service, sql);
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter(({ logged, measured }) => Math.abs(logged - measured) > 1e-5 * Math.abs(logged))).toEqual([]);
  });
});

async function train(address: string): Promise<readonly unknown[]> {
  const job = spawn(
    python!,
    [
      join(packageRoot, 'examples/pytorch_digits.py'),
      '--check',
      '--steps',
      String(steps),
      '--lr',
      String(learningRate),
      '--address',
      address,
    ],
    { env: { ...process.env, PYTHONPATH: join(packageRoot, 'libs/probes/python/src') }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  let errors = '';
  job.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  job.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const [code] = (await once(job, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the training script ended with ${code}\n${errors}`);
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
