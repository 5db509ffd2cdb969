import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { packageRoot } from '#runtime/package-root.js';
import { expandGrafana, type GrafanaRequest } from '../grafana-macros.js';
import { untilMeasured } from '../support/run-picture.js';
import { eventually, sqlRows, startServiceProcess, type ServiceProcess } from '../support/service-process.js';

/** The committed bundle over a run that was really trained, through the port that the data source names. */
interface Target {
  readonly rawSql: string;
}
interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly Target[] }[];
  readonly annotations: { readonly list: readonly { readonly name: string; readonly target: Target }[] };
}
interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly data: readonly { readonly model: Partial<Target> }[] }[] }[];
}

const read = (path: string): string => readFileSync(join(packageRoot, 'grafana', path), 'utf8');
const dashboard = JSON.parse(read('dashboards/run.json')) as Dashboard;
const alerts = (parse(read('provisioning/alerting/rules.yaml')) as Rules).groups
  .flatMap((group) => group.rules)
  .flatMap((rule) => rule.data)
  .flatMap(({ model }) => model.rawSql ?? []);

describe('Grafana bundle - over a real run', () => {
  let dataDir = '';
  let service: ServiceProcess;
  let request: GrafanaRequest;

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'stagewatch-grafana-'));
    service = await startServiceProcess({ dataDir });
    const script = join(packageRoot, 'dist/libs/lab/demo-job.js');
    // Long enough to reach the edge also where the machine is so busy that few of the steps are measured.
    const flags = { address: service.address, steps: '1400', 'pace-ms': '8', 'drain-seconds': '120' };
    const job = spawn(process.execPath, [script, ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    job.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(job, 'close');
    if (said.includes('could not be delivered')) throw new Error(said);
    const runs = await eventually(
      () => sqlRows<{ run: string; status: string }>(service, 'SELECT run, status FROM runs'),
      ([row]) => row?.status === 'finished',
      120_000,
    );
    await untilMeasured(service, runs[0]!.run, 120_000);
    const now = Date.now();
    request = { fromMs: now - 600_000, toMs: now + 60_000, intervalMs: 1000, variables: { run: [runs[0]!.run] } };
  }, 400_000);

  afterAll(async () => {
    await service?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  async function rows(sql: string): Promise<readonly unknown[]> {
    const answer = await fetch(`http://127.0.0.1:${service.ports.clickhouse}/?database=stagewatch&default_format=JSON`, {
      method: 'POST',
      body: expandGrafana(sql, request),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return (JSON.parse(text) as { data: readonly unknown[] }).data;
  }

  const panels = dashboard.panels.flatMap((panel) =>
    (panel.targets ?? []).map((target) => [panel.title, target.rawSql] as const),
  );
  /** What is wrong with a run: a healthy one shows nothing there. */
  const ofTrouble = (title: string): boolean => /not finite/i.test(title);

  it.each(panels.filter(([title]) => !ofTrouble(title)))('panel %s shows something', async (_, sql) => {
    expect((await rows(sql)).length).toBeGreaterThan(0);
  });

  it.each(panels.filter(([title]) => ofTrouble(title)))('panel %s is empty', async (_, sql) => {
    expect(await rows(sql)).toEqual([]);
  });

  it('the stages of the run are bands: as many as were found of each, and transient, saturation, sharpening and edge in that order', async () => {
    const found = await sqlRows<{ stage: string }>(
      service,
      "SELECT to_label AS stage FROM findings WHERE kind = 'stage' ORDER BY attempt, step, time",
    );
    const order = found.map(({ stage }) => stage);
    expect([...new Set(order)]).toEqual(['transient', 'saturation', 'sharpening', 'edge']);
    const bands = await Promise.all(
      dashboard.annotations.list
        .filter(({ name }) => name.startsWith('Stage '))
        .map(async ({ name, target }) => [name, (await rows(target.rawSql)).length] as const),
    );
    const countOf = (name: string): number => order.filter((stage) => name === `Stage ${stage}`).length;
    expect(bands).toEqual(bands.map(([name]) => [name, countOf(name)]));
  });

  it.each(alerts)('alert query %#: a healthy run does not fire', async (sql) => {
    const values = (await rows(sql)) as readonly { readonly diverged: number }[];
    expect(values.filter(({ diverged }) => diverged > 0)).toEqual([]);
  });
});
