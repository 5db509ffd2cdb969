import { expect, it } from 'vitest';
import { readConfig } from './config.js';

it('config - defaults are the documented ports on loopback', () => {
  const config = readConfig({}, {});
  expect(config.ports).toEqual({ grpc: 7581, http: 7580, clickhouse: 7582 });
  expect(config.host).toBe('127.0.0.1');
  expect(config.token).toBeUndefined();
  expect(config.alertsAllowPrivate).toBe(false);
  expect(config.engine).toMatchObject({ executor: 'auto', tfjsDir: expect.stringMatching(/\.cache\/stagewatch\/tfjs$/) });
});

it('config - a flag wins over the environment, and an absent flag does not', () => {
  const environment = { STAGEWATCH_PORT_HTTP: '9000', STAGEWATCH_KEEP_DAYS: '3' };
  expect(readConfig({ STAGEWATCH_PORT_HTTP: '0', STAGEWATCH_KEEP_DAYS: undefined }, environment)).toMatchObject({
    ports: { http: 0 },
    keepDays: 3,
  });
});

it.each([
  ['STAGEWATCH_PORT_GRPC', '70000'],
  ['STAGEWATCH_PORT_GRPC', 'many'],
  ['STAGEWATCH_TOKEN', 'short'],
  ['STAGEWATCH_ALERTS_ALLOW_PRIVATE', 'perhaps'],
  ['STAGEWATCH_LOG_LEVEL', 'loud'],
  ['STAGEWATCH_PUBLIC_URL', 'stagewatch.example'],
  ['STAGEWATCH_PUBLIC_URL', 'ftp://stagewatch.example'],
  ['STAGEWATCH_PUBLIC_URL', 'https://stagewatch.example/under/a/path'],
  ['STAGEWATCH_PUBLIC_URL', 'https://user:secret@stagewatch.example'],
])('config - %s=%s is refused by name', (name, value) => {
  expect(() => readConfig({}, { [name]: value })).toThrow(name);
});

it('config - the public address is an origin', () => {
  expect(readConfig({}, {}).publicUrl).toBeUndefined();
  const publicUrl = (text: string): unknown => readConfig({}, { STAGEWATCH_PUBLIC_URL: text }).publicUrl;
  expect(publicUrl('https://Stagewatch.example:443/')).toBe('https://stagewatch.example');
  expect(publicUrl('http://10.0.0.7:7580')).toBe('http://10.0.0.7:7580');
});
