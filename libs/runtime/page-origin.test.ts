import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import { pageOrigin } from './page-origin.js';

const publicUrl = 'https://stagewatch.example';

it.each([
  ['the public address goes before all', { host: '0.0.0.0', publicUrl }, 'gpu-box:7581', publicUrl],
  ['the name that the asker used', { host: '0.0.0.0', publicUrl: undefined }, 'gpu-box:7581', 'http://gpu-box:7580'],
  ['an IPv6 address that the asker used', { host: '::', publicUrl: undefined }, '[::1]:7581', 'http://[::1]:7580'],
  ['no asker, and a host', { host: '127.0.0.1', publicUrl: undefined }, undefined, 'http://127.0.0.1:7580'],
  ['no asker, and an IPv6 host', { host: '::1', publicUrl: undefined }, undefined, 'http://[::1]:7580'],
  ['no asker, and every address', { host: '0.0.0.0', publicUrl: undefined }, undefined, `http://${hostname()}:7580`],
  ['an asker who used the listener', { host: '::', publicUrl: undefined }, '0.0.0.0:7581', `http://${hostname()}:7580`],
  ['an asker who wrote nonsense', { host: '::1', publicUrl: undefined }, 'a/b?<script>', 'http://[::1]:7580'],
])('page origin - %s', (_, config, asked, expected) => {
  expect(pageOrigin(config, 7580, asked)).toBe(expected);
});
