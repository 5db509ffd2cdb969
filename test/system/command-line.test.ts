import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli-process.js';
import { runPicture } from '../support/run-picture.js';
import { Scene } from '../support/scene.js';
import { freePorts, type ServiceProcess } from '../support/service-process.js';

describe('the command line - as processes of their own', () => {
  const scene = new Scene();
  const steps = 80;
  let service: ServiceProcess;
  let run = '';
  let env: Record<string, string> = {};
  beforeAll(async () => {
    service = await scene.service();
    env = { STAGEWATCH_URL: service.url };
    const job = scene.nodeJob({ address: service.address, steps, name: 'shown' });
    run = await job.run;
    await job.exited;
    await runPicture(service, run, 4 * steps);
  });
  afterAll(() => scene.close());

  it('runs, show, findings, sql: for people, and as JSON', async () => {
    const listed = await cli(['runs'], { env });
    expect(listed).toMatchObject({ code: 0, err: '' });
    expect(listed.out).toMatch(
      new RegExp(`^RUN +NAME +PROJECT +STATUS +STAGE +STEP +SEEN\n${run} +shown +system tests +finished `),
    );
    const asJson = await cli(['runs', '--project', 'system tests', '--json', '--url', service.url]);
    expect(JSON.parse(asJson.out)).toEqual([
      expect.objectContaining({ run, name: 'shown', status: 'finished', step: steps - 1 }),
    ]);
    expect(JSON.parse((await cli(['runs', '--project', 'another', '--json'], { env })).out)).toEqual([]);

    const shown = await cli(['show', run], { env });
    expect(shown).toMatchObject({ code: 0, err: '' });
    expect(shown.out).toMatch(/^run +r.*\nname +shown\n[^]*\nFound:\n {2}step 0: the early transient began/);
    expect(JSON.parse((await cli(['show', run, '--json'], { env })).out)).toEqual({
      run: expect.objectContaining({ run, optimizer: expect.objectContaining({ name: 'sgd', learningRate: 0.4 }) }),
      instruments: expect.arrayContaining([{ instrument: 'sharpness', on: true, reason: '' }]),
      findings: expect.arrayContaining([expect.objectContaining({ kind: 'stage', to: 'transient', step: 0 })]),
    });

    const findings = await cli(['findings', run, '--json'], { env });
    const lines = findings.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; run: string });
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) expect(line).toMatchObject({ run, kind: expect.any(String), text: expect.any(String) });
    const followed = await cli(['findings', run, '--follow'], { env, interruptAfter: /transient/ });
    expect(followed.code).toBe(0);
    expect(followed.out).toBe((await cli(['findings', run], { env })).out);

    const rows = await cli(['sql', `SELECT count() AS n FROM scalars WHERE run = '${run}'`, '--format', 'TSV'], { env });
    expect(rows).toEqual({ code: 0, out: `${4 * steps}\n`, err: '' });
    const asLines = await cli(['sql', "SELECT 1 AS one, 'two' AS two", '--json'], { env });
    expect(asLines).toMatchObject({ code: 0, out: '{"one":1,"two":"two"}\n' });
  });

  it('what the service refuses is said with its code, and is exit code 1', async () => {
    expect(await cli(['show', 'r01m7z60hfcp5jsppabnskaz7vy'], { env })).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/UNKNOWN_RUN/),
    });
    expect(await cli(['sql', 'DROP TABLE scalars_raw'], { env })).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/QUERY_REFUSED/),
    });
    expect(await cli(['sql', 'SELECT nothing FROM nowhere'], { env })).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/nowhere/),
    });
    const nobody = await cli(['runs', '--url', `http://127.0.0.1:${(await freePorts()).http}`]);
    expect(nobody).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/no service answers.*stagewatch up.*--url/) });
  });

  it.each([
    { args: [], says: /Usage: stagewatch COMMAND/ },
    { args: ['dance'], says: /'dance' is not a command/ },
    { args: ['runs', '--frobnicate'], says: /Unknown option '--frobnicate'/ },
    { args: ['show'], says: /which run\?/ },
    { args: ['sql'], says: /what should be asked\?/ },
    { args: ['runs', 'too', 'many'], says: /unexpected argument 'too'/ },
    { args: ['delete', 'r1'], says: /say --yes/ },
    { args: ['judge', '/no/such/file'], says: /cannot read \/no\/such\/file/ },
    { args: ['up', '--port-http', '70000'], says: /setting is not valid.*STAGEWATCH_PORT_HTTP/s },
    { args: ['up', '--host', '0.0.0.0'], says: /refusing to listen on 0\.0\.0\.0 without a token/ },
  ])('wrong use is exit code 2: stagewatch $args', async ({ args, says }) => {
    const { code, out, err } = await cli(args);
    expect(code).toBe(2);
    expect(out + err).toMatch(says);
  });

  it('help and version are exit code 0', async () => {
    expect(await cli(['help'])).toMatchObject({ code: 0, out: expect.stringMatching(/up .*\n.*demo/) });
    expect(await cli(['sql', '--help'])).toMatchObject({ code: 0, out: expect.stringMatching(/Usage: stagewatch sql/) });
    expect(await cli(['--version'])).toMatchObject({ code: 0, out: expect.stringMatching(/^stagewatch \d/) });
  });

  it('judge: findings as soon as they are known; a line that is not understood is named, those before are judged', async () => {
    const lines = [
      { run: { loss: 'mse', optimizer: { name: 'sgd' }, batch: 'full' } },
      { step: 0, readings: { 'loss.train': 1.3, lr: 0.4, sharpness: 1 } },
      { step: 1, readings: { 'loss.train': 'nan', lr: 0.4, sharpness: 1 } },
    ].map((line) => JSON.stringify(line));
    const good = await cli(['judge'], { input: `${lines.join('\n')}\n` });
    expect(good.code).toBe(0);
    const kinds = good.out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds).toContain('divergence_risk');
    const bad = await cli(['judge', '-'], { input: `${[...lines, 'no JSON'].join('\n')}\n` });
    expect(bad).toMatchObject({ code: 2, out: good.out, err: expect.stringMatching(/line 4/) });
  });

  it('doctor: what is there; a port that somebody else has is exit code 1', async () => {
    const ports = await freePorts();
    const at = {
      STAGEWATCH_PORT_HTTP: ports.http,
      STAGEWATCH_PORT_GRPC: ports.grpc,
      STAGEWATCH_PORT_CLICKHOUSE: ports.clickhouse,
    };
    const doctorEnv = {
      STAGEWATCH_DATA: scene.path('for-the-doctor'),
      ...Object.fromEntries(Object.entries(at).map(([name, port]) => [name, String(port)])),
    };
    const healthy = await cli(['doctor', '--json'], { env: doctorEnv });
    expect(healthy.code).toBe(0);
    expect(JSON.parse(healthy.out)).toMatchObject({
      healthy: true,
      versions: { node: process.versions.node, stagewatch: expect.any(String) },
      executors: expect.arrayContaining([expect.objectContaining({ chosen: true })]),
      // Three stores, and what confines the process of one.
      stores: [{ ok: true }, { ok: true }, { ok: true }, { ok: true }],
    });
    const squatter = createServer().listen(ports.grpc, '127.0.0.1');
    await once(squatter, 'listening');
    const ill = await cli(['doctor'], { env: doctorEnv });
    squatter.close();
    expect(ill).toMatchObject({
      code: 1,
      out: expect.stringMatching(/NOT OK.*taken by another program; choose one with --port-grpc/),
    });
  });
});

describe('up - Ctrl-C', () => {
  const scene = new Scene();
  afterAll(() => scene.close());

  it('once: everything that was acknowledged is durable, and the exit code is 0; twice: 130', { timeout: 60_000 }, async () => {
    const ports = await freePorts();
    const steps = 300;
    const first = await scene.service({ ports });
    const job = scene.nodeJob({ address: first.address, steps, paced: true, snapshotEvery: 20 });
    const run = await job.run;
    job.allow(149);
    await job.untilStep(100);
    // In the middle of everything.
    expect(await first.stop()).toBe(0);
    expect(first.log()).toContain('Stopping; press Ctrl-C again to force');
    expect(first.log()).not.toMatch(/"level":(50|60)/);

    const second = await scene.service({ ports });
    job.allow(249);
    await job.untilStep(200);
    // Stopped while both arrive, so that the second one is there before the first has been carried out.
    for (const signal of ['SIGSTOP', 'SIGINT', 'SIGTERM', 'SIGCONT'] as const) second.signal(signal);
    expect(await second.exited).toBe(130);

    const third = await scene.service({ ports });
    job.release();
    expect(await job.exited).toMatchObject({ code: 0, delivered: true });
    expect(await runPicture(third, run, 4 * steps)).toMatchObject({ rows: 4 * steps, identities: 4 * steps, status: 'finished' });
    // Somebody who types it a second time on the same folder hears who is there.
    const other = await cli([
      'up',
      '--data',
      scene.path('data'),
      '--port-http',
      '0',
      '--port-grpc',
      '0',
      '--port-clickhouse',
      '0',
    ]);
    expect(other).toMatchObject({ code: 1, err: expect.stringMatching(`in use by process ${third.pid}.*--data`) });
    expect(await third.stop('SIGTERM')).toBe(0);
  });
});
