import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cli } from '../support/cli-process.js';
import { busEntriesWith, filesWith } from '../support/left-behind.js';
import { runPicture } from '../support/run-picture.js';
import { withScene } from '../support/scene.js';
import { sqlRows } from '../support/service-process.js';

it('delete removes a run with its rows, blobs, messages and states, and leaves the others whole', { timeout: 240_000 }, () =>
  withScene(async (scene) => {
    const steps = 120;
    const service = await scene.service();
    const data = scene.path('data');
    const [goes, stays] = [1, 2].map((n) => scene.nodeJob({ address: service.address, steps, name: `job ${n}` }));
    const [gone, other] = [await goes!.run, await stays!.run];
    await Promise.all([goes!.exited, stays!.exited]);
    await runPicture(service, gone, 4 * steps);
    const before = await runPicture(service, other, 4 * steps);
    const artifacts = readdirSync(join(data, 'blobs/complete/artifacts'), { recursive: true });
    expect(artifacts.length).toBeGreaterThan(0);

    const env = { STAGEWATCH_URL: service.url };
    expect(await cli(['delete', gone], { env })).toMatchObject({ code: 2 });
    expect(await cli(['delete', gone, '--yes'], { env })).toEqual({ code: 0, out: `${gone} is gone.\n`, err: '' });
    expect(await cli(['show', gone], { env })).toMatchObject({ code: 1, err: expect.stringContaining('UNKNOWN_RUN') });

    for (const table of ['runs', 'scalars', 'readings', 'series', 'findings', 'stages', 'instruments']) {
      expect(await sqlRows(service, `SELECT 1 FROM ${table} WHERE run = '${gone}' LIMIT 1`), table).toEqual([]);
    }
    expect(existsSync(join(data, 'blobs/complete/runs', gone))).toBe(false);
    expect(existsSync(join(data, 'blobs/complete/runs', other))).toBe(true);
    // Both jobs have the same graph and probe sets: the other one still needs them.
    expect(readdirSync(join(data, 'blobs/complete/artifacts'), { recursive: true })).toEqual(artifacts);
    expect(await runPicture(service, other, 4 * steps)).toEqual(before);
    expect(await service.stop()).toBe(0);

    // Pages that LMDB has freed and not yet used again may still hold bytes; nothing refers to them.
    expect(busEntriesWith(join(data, 'bus/bus.mdb'), other).length).toBeGreaterThan(0);
    // The bare id stays for the word to pages and collectors that the run is gone.
    expect(busEntriesWith(join(data, 'bus/bus.mdb'), gone)).toEqual([`subjects: ${gone} `]);
    expect(filesWith(data, gone).filter((name) => !name.endsWith('bus.mdb'))).toEqual([]);

    const again = await scene.service({ ports: service.ports });
    expect(await runPicture(again, other, 4 * steps)).toEqual(before);
    expect((await cli(['delete', other, '--yes', '--json'], { env })).out).toBe(
      `${JSON.stringify({ run: other, deleted: true })}\n`,
    );
    // Nobody needs the graph and the probe sets any more.
    expect(filesIn(join(data, 'blobs'))).toEqual([]);
  }),
);

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}
