import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { openDoor, type OpenDoor } from '#dashboard/clickhouse-door/testing/open-door.js';
import { readConfig } from '#runtime/config.js';
import { packageRoot } from '#runtime/package-root.js';
import { finding, reading, runRow, scalar } from '../../test/contract/store-rows.js';
import { expandGrafana, type GrafanaRequest } from '../../test/grafana-macros.js';
import { dataSourceUid, runDashboardUid } from './data-source.js';
import { generatedFiles } from './files.js';

interface Target {
  readonly rawSql: string;
  readonly format: number;
}
interface Dashboard {
  readonly uid: string;
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly description: string;
    readonly targets?: readonly Target[];
  }[];
  readonly annotations: { readonly list: readonly { readonly name: string; readonly target: Target }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string | Target }[] };
}
interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly uid: string;
      readonly dashboardUid: string;
      readonly panelId: number;
      readonly condition: string;
      readonly data: readonly {
        readonly refId: string;
        readonly datasourceUid: string;
        readonly model: Target & { readonly expression?: string };
      }[];
    }[];
  }[];
}

const files = generatedFiles();
const dashboard = JSON.parse(files.get('dashboards/run.json')!) as Dashboard;
const rules = (parse(files.get('provisioning/alerting/rules.yaml')!) as Rules).groups.flatMap((group) => group.rules);

describe('Grafana bundle', () => {
  test.each([...files.keys()])('%s is what the code makes of it', async (path) => {
    expect(await readFile(join(packageRoot, 'grafana', path), 'utf8')).toBe(files.get(path));
  });

  test('the data source is the ClickHouse door', () => {
    const { datasources } = parse(files.get('provisioning/datasources/clickhouse.yaml')!) as {
      datasources: { uid: string; jsonData: { port: number; protocol: string; defaultDatabase: string } }[];
    };
    expect(datasources[0]).toMatchObject({
      uid: dataSourceUid,
      jsonData: { port: readConfig({}, {}).ports.clickhouse, protocol: 'http', defaultDatabase: 'stagewatch' },
    });
  });

  test('every panel says what it is for, and has an id of its own', () => {
    expect(dashboard.uid).toBe(runDashboardUid);
    for (const panel of dashboard.panels) expect([panel.title, panel.description]).not.toContain('');
    expect(new Set(dashboard.panels.map((panel) => panel.id)).size).toBe(dashboard.panels.length);
  });

  test('an alert rule points to a panel that is there and to steps that are there', () => {
    for (const rule of rules) {
      expect(rule.uid.length).toBeLessThanOrEqual(40);
      expect(dashboard.panels.map((panel) => panel.id)).toContain(rule.panelId);
      expect(rule.data.map((step) => step.refId)).toContain(rule.condition);
      const named = rule.data.flatMap((step) => step.model.expression ?? []);
      expect(rule.data.map((step) => step.refId)).toEqual(expect.arrayContaining(named));
    }
  });

  test('only the model of a rule may hold a dollar sign: everywhere else Grafana would fill it in', () => {
    const text = JSON.stringify(rules.map((rule) => ({ ...rule, data: [] })));
    expect(text).not.toContain('$');
  });
});

interface Answer {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: readonly Readonly<Record<string, unknown>>[];
}

describe('Grafana queries at the door, over a run', () => {
  const run = 'r0000000000aaaaaaaaaaaaaaaa';
  const startMs = Date.now() - 120_000;
  const at = (step: number): number => startMs + step * 500;
  let door: OpenDoor;
  let request: GrafanaRequest;

  beforeAll(async () => {
    door = await openDoor();
    const { store } = door;
    const steps = Array.from({ length: 200 }, (_, step) => step);
    const measured = steps.filter((step) => step % 10 === 0);
    await Promise.all([
      store.write('runs', [
        runRow(run, 1, { name: "it's a run", step: 199, stage: 'diverged', createdMs: at(0), seenMs: at(199) }),
      ]),
      store.write(
        'scalars',
        steps.flatMap((step) => [
          scalar(run, step, step === 195 ? Number.NaN : 1 / (step + 1), { timeMs: at(step) }),
          scalar(run, step, 0.1, { name: 'lr', index: 1, timeMs: at(step) }),
        ]),
      ),
      store.write(
        'readings',
        measured.flatMap((step) => [
          reading(run, step, step / 10, { timeMs: at(step) }),
          reading(run, step, 20, { name: 'sharpness.threshold', timeMs: at(step) }),
          reading(run, step, step / 200, { name: 'edge.ratio', timeMs: at(step) }),
          reading(run, step, 1, { name: 'gradient.norm', timeMs: at(step) }),
        ]),
      ),
      store.write(
        'findings',
        ['transient', 'saturation', 'sharpening', 'edge', 'late_decline', 'diverged'].map((stage, i) =>
          finding(run, stage, i * 30, { to: stage, severity: stage === 'diverged' ? 'critical' : 'info', timeMs: at(i * 30) }),
        ),
      ),
      store.write('instruments', [{ run, attempt: 1, instrument: 'sharpness', on: false, reason: 'no graph', version: 1 }]),
    ]);
    request = { fromMs: startMs - 60_000, toMs: startMs + 200_000, intervalMs: 2000, variables: { run: [run] } };
  });
  afterAll(() => door.close());

  /** As the plugin asks: the SQL as the body, the format beside it; here JSON, to look at the answer. */
  async function ask(sql: string, format = 'JSON'): Promise<Response> {
    const response = await fetch(`${door.url}/?default_format=${format}&database=stagewatch&client_protocol_version=54460`, {
      method: 'POST',
      body: expandGrafana(sql, request),
    });
    if (response.status !== 200) throw new Error(await response.text());
    return response;
  }

  async function rows(target: Target): Promise<Answer> {
    expect((await (await ask(target.rawSql, 'Native')).arrayBuffer()).byteLength).toBeGreaterThan(0);
    return (await (await ask(target.rawSql)).json()) as Answer;
  }

  const plain = /^(String|LowCardinality\(String\)|U?Int\d+|Float64|Bool|DateTime(64\(3, 'UTC'\)|64\(3\)|\('[\w/]+'\))?)$/;
  const isNumber = /^(U?Int\d+|Float64)$/;

  function expectPlain({ meta }: Answer): void {
    for (const { type } of meta) expect(type).toMatch(plain);
  }

  const targets = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map((target) => [panel.title, target] as const));

  test.each(targets)('panel %s', async (_, target) => {
    const answer = await rows(target);
    expectPlain(answer);
    expect(answer.data.length).toBeGreaterThan(0);
    if (target.format !== 0) return;
    expect(answer.meta[0]).toMatchObject({ name: 'time', type: expect.stringMatching(/^DateTime/) as string });
    expect(answer.meta.filter(({ type }) => isNumber.test(type))).toHaveLength(1);
    for (const row of answer.data) expect(row['value']).toEqual(expect.any(Number));
    const times = answer.data.map((row) => String(row['time']));
    expect(times).toEqual(times.toSorted((a, b) => a.localeCompare(b)));
  });

  test.each(dashboard.annotations.list.map((annotation) => [annotation.name, annotation.target] as const))(
    'annotation %s',
    async (name, target) => {
      const answer = await rows(target);
      expectPlain(answer);
      expect(answer.data).toHaveLength(1);
      const columns = answer.meta.map((column) => column.name);
      expect(columns).toEqual(name.startsWith('Stage ') ? ['time', 'timeEnd', 'text', 'tags'] : ['time', 'text', 'tags']);
      // A point, or a region that ends after it began; times of one shape compare as text.
      const [row] = answer.data;
      expect(JSON.stringify(row!['timeEnd'] ?? '~') > JSON.stringify(row!['time'])).toBe(true);
    },
  );

  test('the threshold of a preconditioned optimizer is never drawn against λ1', async () => {
    const { targets: [target] = [] } = dashboard.panels.find(({ title }) => title.startsWith('λ1'))!;
    const namesOf = async (of: string): Promise<unknown[]> => {
      request = { ...request, variables: { run: [of] } };
      const { data } = await rows(target!);
      return [...new Set(data.map((row) => String(row['name'])))].sort();
    };
    const write = async (of: string, optimizer: object, ...names: readonly string[]): Promise<void> => {
      await door.store.write('runs', [runRow(of, 1, { optimizer: JSON.stringify(optimizer), createdMs: at(0), seenMs: at(9) })]);
      await door.store.write(
        'readings',
        names.map((name) => reading(of, 1, 7, { name, timeMs: at(1) })),
      );
    };
    const [adam, groups] = ['r0000000000bbbbbbbbbbbbbbbb', 'r0000000000cccccccccccccccc'] as const;
    await write(adam, { name: 'AdamW' }, 'sharpness', 'sharpness.threshold');
    await write(groups, { name: 'sgd', ownRates: true }, 'sharpness', 'sharpness.preconditioned', 'sharpness.threshold');
    expect(await namesOf(run)).toEqual(['sharpness', 'sharpness.threshold']);
    expect(await namesOf(adam)).toEqual(['sharpness']);
    expect(await namesOf(groups)).toEqual(['sharpness.preconditioned', 'sharpness.threshold']);
    request = { ...request, variables: { run: [run] } };
  });

  test('the variable lists the run by value and text', async () => {
    const variable = dashboard.templating.list.find((v) => v.name === 'run')!;
    const answer = await rows(variable.query as Target);
    expect(answer.meta).toHaveLength(2);
    expect(Object.values(answer.data[0]!)).toEqual([run, expect.stringContaining("it's a run (")]);
  });

  test.each(rules.map((rule) => [rule.uid, rule.data[0]!.model] as const))('alert %s', async (_, model) => {
    const answer = await rows(model);
    expectPlain(answer);
    expect(model.format).toBe(0);
    expect(answer.meta.map((column) => column.name)).toEqual(['time', 'run', 'diverged']);
    expect(answer.data.filter((row) => row['diverged'] === 1).length).toBeGreaterThan(0);
    expect(answer.data.filter((row) => row['diverged'] === 0).length).toBeGreaterThan(0);
    expect(new Set(answer.data.map((row) => row['run']))).toEqual(new Set(["it's a run"]));
  });

  test('what the helper does not know, it does not pass over', () => {
    expect(() => expandGrafana('SELECT ${nobody}', request)).toThrow(/nobody/);
    expect(() => expandGrafana('SELECT $__nothing(a)', request)).toThrow(/nothing/);
  });
});
