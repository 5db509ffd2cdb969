import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Input } from '#wire/codec.js';
import { createIngestClient, type IngestClient } from '#wire/client.js';
import type { AttachRunRequest } from '#wire/generated/messages.js';
import { attach, refusal, Talk, upload, type Attached } from '../../apps/collector/testing/talk.js';
import { Scene } from '../support/scene.js';
import { eventually, sqlRows, type LaunchedService } from '../support/service-process.js';

const lostAfterMs = 10_000;
/** Often enough for a job that is not to be lost, however busy the machine. */
const heartbeatMs = 500;

describe('a live run that somebody else wants', () => {
  const scene = new Scene();
  let service: LaunchedService;
  let client: IngestClient;
  let owner: Attached;
  let heart: Heart;

  beforeAll(async () => {
    service = await scene.service({ env: { STAGEWATCH_LOST_AFTER_MS: String(lostAfterMs) } });
    client = createIngestClient({ address: service.address });
    scene.atEnd(() => client.close());
    owner = await attach(client, { name: 'mine' });
    heart = new Heart(client, owner);
    scene.atEnd(() => heart.stop());
  });
  afterAll(() => scene.close());

  const row = async (runId: string): Promise<object | undefined> =>
    (await sqlRows<object>(service, `SELECT name, attempt, status FROM runs WHERE run = '${runId}'`))[0];
  const becomes = (runId: string, expected: object): Promise<unknown> =>
    eventually(
      () => row(runId),
      (found) => found !== undefined && Object.entries(expected).every(([k, v]) => (found as Record<string, unknown>)[k] === v),
      60_000,
    );
  /** Everything that shows the run to a stranger, and nothing that its job alone knows. */
  const take = (request: Input<AttachRunRequest> = {}): Promise<Attached> =>
    attach(client, { name: 'taken', resumeRunId: owner.runId, ...request });

  it('gives its job a secret, and no other run the same', async () => {
    expect(owner.runSecret).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect((await attach(client, { name: 'mine' })).runSecret).not.toBe(owner.runSecret);
  });

  const strangers: readonly (readonly [string, Input<AttachRunRequest>])[] = [
    ['takes it up by its id', {}],
    ['guesses', { runSecret: 'x'.repeat(43) }],
    ['joins it as a further rank', { joinAttempt: 1, rank: 1 }],
    ['joins it as the rank that is there', { joinAttempt: 1 }],
  ];
  it.each(strangers)('a stranger who %s is refused and told what to do; the run stays what it was', async (_what, request) => {
    const refused = await refusal(take(request));
    expect(refused).toMatchObject({ code: 'RUN_TAKEN', field: 'run_secret' });
    expect(refused.expected).toMatch(/secret.*ended.*run of its own/);
    expect(refused.retryAfterMs).toBeGreaterThan(0);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(lostAfterMs);
    expect(JSON.stringify(refused)).not.toContain('x'.repeat(8));
    await heart.beat();
    await becomes(owner.runId, { name: 'mine', attempt: 1, status: 'running' });
  });

  it('a stranger who comes by its name begins a run of its own', async () => {
    const other = await attach(client, { name: 'mine', instanceId: 'a-stranger-by-name' });
    expect(other.runId).not.toBe(owner.runId);
    await heart.beat();
    await becomes(owner.runId, { name: 'mine', attempt: 1, status: 'running' });
  });

  it('a stranger who writes for it, describes it or uploads for it is refused', async () => {
    const pretended = { ...owner, instanceId: 'a-stranger-who-writes' };
    const end = { sequence: 1, step: 1, end: { status: 'failed' } };
    expect(await new Talk(client, pretended).send(end).ended).toMatchObject({ code: 'IDENTITY_IN_USE' });
    const { runId, attempt, instanceId } = pretended;
    expect(await refusal(client.describeModel({ runId, attempt, instanceId }, 10_000))).toMatchObject({
      code: 'IDENTITY_IN_USE',
    });
    const data = Buffer.alloc(100);
    expect(await refusal(upload(client, { run: pretended, key: 'k', data }))).toMatchObject({ code: 'IDENTITY_IN_USE' });
    await heart.beat();
    await becomes(owner.runId, { name: 'mine', attempt: 1, status: 'running' });
  });

  it('neither the secret nor the instance id of a run is shown: not by the page, not by SQL, not in the log', async () => {
    const shown = [
      await (await fetch(`${service.url}/api/runs`)).text(),
      await (await fetch(`${service.url}/api/runs/${owner.runId}`)).text(),
      JSON.stringify(await sqlRows(service, `SELECT * FROM runs WHERE run = '${owner.runId}'`)),
      service.log(),
    ];
    expect(shown[1]).toContain(owner.runId);
    for (const text of shown) {
      expect(text).not.toContain(owner.runSecret);
      expect(text).not.toContain(owner.instanceId);
    }
  });

  it('its own job may take it up at once, with another name, and a further rank may join', async () => {
    const second = await take({ name: 'mine again', runSecret: owner.runSecret });
    expect(second).toMatchObject({ runId: owner.runId, attempt: 2, runSecret: owner.runSecret });
    const joined = await take({ runSecret: owner.runSecret, joinAttempt: 2, rank: 1 });
    expect(joined).toMatchObject({ runId: owner.runId, attempt: 2 });
    await becomes(owner.runId, { name: 'mine again', attempt: 2 });
  });

  it('after its end anybody may take it up, and the one before no more', async () => {
    const ended = await attach(client, { name: 'over' });
    await new Talk(client, ended).send({ sequence: 1, step: 1, end: { status: 'finished' } }).untilAcknowledged(1);
    const next = await attach(client, { name: 'next', resumeRunId: ended.runId });
    expect(next).toMatchObject({ runId: ended.runId, attempt: 2, runSecret: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) });
    expect(await refusal(attach(client, { name: 'over', resumeRunId: ended.runId, runSecret: ended.runSecret }))).toMatchObject({
      code: 'RUN_TAKEN',
    });
  });

  it('once it counts as lost anybody may take it up, as soon as the refusal said', async () => {
    const silent = await attach(client, { name: 'silent' });
    const begin = { name: 'heir', resumeRunId: silent.runId };
    expect(await refusal(attach(client, begin))).toMatchObject({ code: 'RUN_TAKEN' });
    const heir = await eventually(
      () => attach(client, begin).catch(() => undefined),
      (run) => run !== undefined,
      60_000,
    );
    expect(heir).toMatchObject({ runId: silent.runId, attempt: 2 });
  });
});

/** A job that says no more than that it lives. */
class Heart {
  private readonly talk: Talk;
  private readonly timer: NodeJS.Timeout;
  private sequence = 0;

  constructor(client: IngestClient, run: Attached) {
    this.talk = new Talk(client, run);
    this.timer = setInterval(() => this.send(), heartbeatMs);
  }

  /** Resolves when the service has heard it. */
  async beat(): Promise<void> {
    await this.talk.untilAcknowledged(this.send());
  }

  private send(): number {
    const sequence = ++this.sequence;
    this.talk.send({ sequence, step: sequence, heartbeat: {} });
    return sequence;
  }

  stop(): void {
    clearInterval(this.timer);
    this.talk.cancel();
  }
}
