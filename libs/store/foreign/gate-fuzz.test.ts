import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Gate, type AskEngine } from './gate.js';
import { setOutCanaries, type Canaries } from './testing/canaries.js';
import { seeded, StatementGrammar, type Statement } from './testing/statement-grammar.js';

// The gate alone in front of an engine that would do everything: no grants, no readonly, no confinement behind it.
const statementCount = 20_000;
const testMs = 300_000;

let path: string;
let session: Session;
let canaries: Canaries;
let gate: Gate;

const askEngine: AskEngine = async (sql, parameters) => {
  const bound = Object.keys(parameters).length > 0;
  const options = { format: 'TSVRaw' };
  return (await (bound ? session.queryBindAsync(sql, parameters, options) : session.queryAsync(sql, options))).text();
};

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'stagewatch-gate-'));
  session = new Session(path);
  await session.queryAsync('CREATE DATABASE stagewatch');
  await session.queryAsync('USE stagewatch');
  for (const table of ['runs', 'scalars']) {
    await session.queryAsync(`CREATE TABLE ${table} (run String, step UInt64) ENGINE = MergeTree ORDER BY run`);
    await session.queryAsync(`INSERT INTO ${table} VALUES ('r1', 1)`);
  }
  canaries = await setOutCanaries();
  gate = await Gate.open(askEngine, 'stagewatch');
});
afterAll(async () => {
  session.close();
  canaries.close();
  await rm(path, { recursive: true, force: true });
});

/** What the outside gets to see: an answer or an error, and whether the gate let the statement through. */
async function ask({ sql, parameters }: Pick<Statement, 'sql' | 'parameters'>): Promise<{ passed: boolean; seen: string }> {
  let passed = false;
  try {
    const query = await gate.pass({ sql, parameters, settings: {}, format: 'TSV', maxSeconds: 1, database: 'stagewatch' });
    passed = true;
    return { passed, seen: await askEngine(`${query.sql}, max_memory_usage = 100000000`, parameters) };
  } catch (error) {
    return { passed, seen: error instanceof Error ? error.message : String(error) };
  }
}

test(
  `gate - of ${statementCount} statements none reads a file, opens a connection or writes`,
  async () => {
    const grammar = new StatementGrammar(seeded(20_260_801), canaries);
    const through: string[] = [];
    const leaks: string[] = [];
    let plain = 0;
    let plainPassed = 0;
    for (let i = 0; i < statementCount; i++) {
      const statement = grammar.next();
      const { passed, seen } = await ask(statement);
      if (canaries.isSecretIn(seen)) leaks.push(statement.sql);
      if (statement.mutated) continue;
      if (statement.reaches && passed) through.push(statement.sql);
      if (statement.reaches) continue;
      plain++;
      if (passed) plainPassed++;
    }
    expect(leaks.slice(0, 10)).toEqual([]);
    expect(through.slice(0, 10)).toEqual([]);
    expect(canaries.touched()).toEqual([]);
    // A gate that refused everything would prove nothing.
    expect(plain).toBeGreaterThan(statementCount / 10);
    expect(plainPassed / plain).toBeGreaterThan(0.9);
  },
  testMs,
);
