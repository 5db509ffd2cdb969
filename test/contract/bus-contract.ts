import { describe, expect, test } from 'vitest';
import { crashes } from './bus-contract/crashes.js';
import { deadLetters } from './bus-contract/dead-letters.js';
import { deleting } from './bus-contract/deleting.js';
import { busFixture, type BusContract } from './bus-contract/fixture.js';
import { groups } from './bus-contract/groups.js';
import { keyValue } from './bus-contract/key-value.js';
import { leases } from './bus-contract/leases.js';
import { publishing } from './bus-contract/publishing.js';
import { retention } from './bus-contract/retention.js';
import { tails } from './bus-contract/tails.js';

/** What every bus must do; run by each implementation with its real server or files. */
export function busContract(contract: BusContract): void {
  describe(`bus contract - ${contract.name}`, () => {
    const fixture = busFixture(contract);

    publishing(fixture);
    groups(fixture);
    leases(fixture);
    crashes(fixture);
    retention(fixture);
    tails(fixture);
    keyValue(fixture);
    deleting(fixture);
    deadLetters(fixture);

    test('an unknown stream is a bug of the caller', async () => {
      const { bus } = fixture;
      await expect(bus.publish('nowhere', [{ subject: 'a', id: '1', body: new Uint8Array() }])).rejects.toThrow(/nowhere/);
      await expect(bus.group('nowhere', 'g')).rejects.toThrow(/nowhere/);
    });

    test('check passes while the bus is well, and not after close', async () => {
      const { bus, publish } = fixture;
      await bus.check();
      await bus.close();
      await expect(bus.check()).rejects.toThrow(/closed/);
      await expect(publish('a', ['1'])).rejects.toThrow(/closed/);
    });
  });
}
