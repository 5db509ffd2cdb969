import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openLmdbBus } from '#bus/index.js';
import { newId } from '#runtime/ids.js';
import { cli } from '../support/cli-process.js';
import { Scene } from '../support/scene.js';

const scene = new Scene();
afterAll(() => scene.close());

it('a group that nobody works for any more is seen, and removed with what only it held back', { timeout: 180_000 }, async () => {
  const dataDir = scene.path('data');
  const bus = await openLmdbBus({ path: join(dataDir, 'bus') });
  await bus.group('findings', 'pager');
  const messages = Array.from({ length: 50 }, (_, i) => ({ subject: newId('r'), id: `${i}`, body: Buffer.from('{}') }));
  await bus.publish('findings', messages);
  await bus.close();
  const service = await scene.service({ dataDir });
  const listed = await cli(['groups', '--url', service.url]);
  expect(listed.out).toMatch(/findings +pager +50 .*nobody works for it/);
  expect(listed.out).toMatch(/records +judge .*at work/);
  const refused = await cli(['groups', 'remove', 'records', 'judge', '--yes', '--url', service.url]);
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('at work') });
  expect(await cli(['groups', 'remove', 'findings', 'pager', '--yes', '--url', service.url])).toMatchObject({ code: 0 });
  expect((await cli(['groups', '--url', service.url])).out).not.toContain('pager');
  expect(await service.stop()).toBe(0);
});
