import { describe, expect, test } from 'vitest';
import { alertsFixture, finding, inState } from './testing/alerts-fixture.js';

const fixture = alertsFixture();
const { deliveriesThat, find, restart, rule } = fixture;

describe('alerts - forgery of requests', () => {
  const locked = {
    config: { alertsAllowPrivate: false, host: '127.0.0.1', publicUrl: undefined, ports: { grpc: 1, http: 7580, clickhouse: 1 } },
  };

  test('a private address is refused in a rule', async () => {
    await restart(locked);
    for (const url of [
      fixture.receiver.url,
      'http://localhost:1/',
      'http://[::1]/',
      'http://0x7f.1/',
      'http://[::ffff:10.0.0.1]/',
    ]) {
      await expect(rule({ url })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', detail: { field: 'rule.url' } });
    }
  });

  test('a name that leads to a private address is not connected to', async () => {
    const asked: string[] = [];
    const resolve = (host: string) => {
      asked.push(host);
      return Promise.resolve([
        { address: '93.184.215.14', family: 4 as const },
        { address: '127.0.0.1', family: 4 as const },
      ]);
    };
    await restart({ ...locked, resolve });
    await rule({ url: `http://hook.example:${fixture.receiver.port}/` });
    await find(finding('a'));
    const [delivery] = await deliveriesThat(inState('pending', 1));
    expect(delivery!.tries[0]!.error).toContain('not a public address');
    expect(asked).toEqual(['hook.example']);
    expect(fixture.receiver.received).toEqual([]);
  });

  test('the connection goes to the address that was checked, and the name is asked once a try', async () => {
    let asked = 0;
    const resolve = () => Promise.resolve([{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 as const }]);
    await restart({ resolve });
    await rule({ url: `http://name.that.does.not.exist.invalid:${fixture.receiver.port}/` });
    await find(finding('a'));
    await deliveriesThat(inState('delivered', 1));
    expect(asked).toBe(1);
    expect(fixture.receiver.received[0]!.headers.host).toBe(`name.that.does.not.exist.invalid:${fixture.receiver.port}`);
  });
});
