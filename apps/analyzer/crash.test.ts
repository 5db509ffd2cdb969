import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { decodeJson, type FindingBody } from '#bus/messages.js';
import { newId } from '#runtime/ids.js';
import { CrashPoint } from './testing/crashing.js';
import { FakeMeasurer } from './testing/fake-measurer.js';
import { House } from './testing/house.js';
import { RunLog } from './testing/run-log.js';
import { edgeStory } from './testing/story.js';

/** The same run, in the same house of glass, whatever happens to the service. */
const run = newId('r');
const startMs = Date.now();

interface Picture {
  readonly findings: unknown;
  readonly readings: unknown;
  readonly scalars: number;
  readonly row: unknown;
  readonly instruments: unknown;
  readonly told: readonly string[];
  readonly blobs: readonly string[];
  readonly conflicts: readonly string[];
}

async function houseWithStory(): Promise<House> {
  const house = await House.open();
  const log = await edgeStory(new RunLog(run, house.blobs, startMs), 70);
  await log.publish(house.bus);
  return house;
}

async function picture(house: House): Promise<Picture> {
  const { store } = house;
  const told: string[] = [];
  const head = await house.bus.head('findings');
  for await (const message of house.bus.tail('findings', { after: 0 })) {
    told.push(decodeJson<FindingBody>(message.body).id);
    if (message.position >= head) break;
  }
  const blobs: string[] = [];
  for await (const { name } of house.blobs.list(`runs/${run}/`)) blobs.push(name);
  return {
    findings: store.rows('findings'),
    readings: store.rows('readings'),
    scalars: store.rows('scalars').length,
    row: store.rows('runs'),
    instruments: store.rows('instruments').map(({ instrument, on, reason }) => ({ instrument, on, reason })),
    told,
    blobs: blobs.sort(),
    conflicts: store.conflicts,
  };
}

/** Runs the story with one crash, if the service lives long enough for it, and answers how many operations it took. */
async function storyWithCrash(at: number, after: boolean): Promise<{ picture: Picture; operations: number }> {
  const house = await houseWithStory();
  const point = new CrashPoint(at, after);
  const doomed = house.analyzer({
    bus: point.bus(house.bus),
    blobs: point.blobs(house.blobs),
    store: point.store(house.store).asStore(),
    measurer: point.measurer(new FakeMeasurer()),
    flushEveryMs: 0,
  });
  await doomed.start();
  await Promise.race([point.whenCrashed, house.settled()]);
  // A dead process closes nothing; its loops are told to stop so that they end with the test. It may die while it closes.
  await Promise.race([point.whenCrashed, doomed.close()]);
  await house.closePorts();
  await house.openPorts();
  const next = house.analyzer({ flushEveryMs: 0 });
  await next.start();
  await house.settled();
  await next.close();
  const result = await picture(house);
  await house.close();
  return { picture: result, operations: point.operations };
}

describe('a service that ends at any moment', () => {
  it('has told everything once, and the same as if nothing had happened', { timeout: 240_000 }, async () => {
    const undisturbed = await storyWithCrash(Number.POSITIVE_INFINITY, false);
    expect(undisturbed.picture.conflicts).toEqual([]);
    expect(undisturbed.picture.findings).toHaveLength(5);
    // Every moment takes too long for each test run: these walk over all kinds of them.
    const stride = Math.max(1, Math.floor(undisturbed.operations / crashes));
    for (let at = 1; at <= undisturbed.operations; at += stride) {
      expect(await changedByCrash(at, undisturbed.picture)).toEqual([]);
    }
  });

  it(
    'leaves nothing behind when it ends over the last of a run: no message comes that would have it removed',
    { timeout: 240_000 },
    async () => {
      const undisturbed = await storyWithCrash(Number.POSITIVE_INFINITY, false);
      for (let back = 0; back < lastOperations; back++) {
        expect(await changedByCrash(undisturbed.operations - back, undisturbed.picture)).toEqual([]);
      }
    },
  );
});

/** Pictures that differ from that of a service that nothing has happened to. */
async function changedByCrash(at: number, undisturbed: Picture): Promise<readonly object[]> {
  const changed: object[] = [];
  for (const after of [false, true]) {
    const { picture } = await storyWithCrash(at, after);
    if (!isDeepStrictEqual(picture, undisturbed))
      changed.push({ crash: `${after ? 'after' : 'before'} operation ${at}`, picture, undisturbed });
  }
  return changed;
}

/** Those of the last commit, and what follows it. */
const lastOperations = 8;

const crashes = Number(process.env['STAGEWATCH_TEST_CRASHES'] ?? 12);
