import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { decodeJson, type FindingBody } from '#bus/messages.js';
import { newId } from '#runtime/ids.js';
import type { Analyzer } from './analyzer.js';
import { House } from './testing/house.js';
import { RunLog } from './testing/run-log.js';

describe('analyzer - dead letters', () => {
  let house: House;
  let run: string;
  let analyzer: Analyzer;
  beforeEach(async () => {
    house = await House.open();
    run = newId('r');
    analyzer = house.analyzer();
    await analyzer.start();
  });
  afterEach(async () => {
    await analyzer.close();
    await house.close();
  });

  async function told(): Promise<FindingBody[]> {
    const head = await house.bus.head('findings');
    const findings: FindingBody[] = [];
    if (head === 0) return findings;
    for await (const { body, position } of house.bus.tail('findings', { after: 0 })) {
      findings.push(decodeJson<FindingBody>(body));
      if (position >= head) break;
    }
    return findings.filter(({ kind }) => kind === 'dead_letter');
  }

  it('what is set aside is a finding of its run: a row, an alert, with what to do', async () => {
    const log = new RunLog(run, house.blobs).attach({ name: 'bitten' }).scalars([[7, 'loss.train', 1]]);
    log.messages.push({ subject: run, id: 'garbage', body: Buffer.from([0xff, 0xff, 0xff]) });
    await log.publish(house.bus);
    await house.settled();
    const findings = await told();
    expect(new Set(findings.map(({ detail }) => detail))).toEqual(new Set(['ledger', 'judge']));
    const finding = findings.find(({ detail }) => detail === 'judge')!;
    expect(finding).toMatchObject({ run, runName: 'bitten', project: 'test', attempt: 1, severity: 'warning' });
    expect(finding.evidence['letter']).toMatch(new RegExp(`^records/judge/${run}/\\d+$`));
    expect(finding.text).toContain('not an envelope');
    expect(finding.text).toContain(`stagewatch dead-letters show ${finding.evidence['letter']}`);
    const rows = house.store.rows('findings').filter(({ kind }) => kind === 'dead_letter');
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(findings.map(({ id }) => id)));
    // Counted right after the group has gone on.
    const counted = async (): Promise<number[]> => (await house.metrics.deadLetters.get()).values.map(({ value }) => value);
    await vi.waitFor(async () => expect(await counted()).toEqual([1, 1]));
  });

  it('retried after the fault was found, its numbers are in the tables once', async () => {
    let isBroken = true;
    house.store.beforeWrite = (table) =>
      isBroken && table === 'scalars' ? Promise.reject(new Error('a fault of ours')) : Promise.resolve();
    await new RunLog(run, house.blobs)
      .attach()
      .scalars([
        [0, 'loss.train', 1],
        [1, 'loss.train', 2],
      ])
      .publish(house.bus);
    await house.settled();
    const ledger = await house.bus.group('records', 'ledger');
    const [letter] = await ledger.deadLetters();
    expect(letter!.reason).toBe('a fault of ours');
    expect(house.store.rows('scalars')).toEqual([]);
    isBroken = false;
    expect(await ledger.retryDeadLetter({ subject: run, position: letter!.message.position })).toBe(true);
    await house.settled();
    expect(house.store.rows('scalars').map(({ step, value }) => [step, value])).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(house.store.conflicts).toEqual([]);
    expect([await ledger.deadLetterCount(), (await ledger.depth()).messages]).toEqual([0, 0]);
    expect((await told()).map(({ detail }) => detail)).toEqual(['ledger']);
  });
});
