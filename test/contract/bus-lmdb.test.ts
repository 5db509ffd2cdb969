import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbBus } from '#bus/index.js';
import { busContract } from './bus-contract.js';

busContract({
  name: 'LMDB',
  create: async (streams) => {
    const path = await mkdtemp(join(tmpdir(), 'stagewatch-bus-'));
    return {
      open: () => openLmdbBus({ path, streams }),
      leave: (bus) => bus.close(),
      destroy: () => rm(path, { recursive: true, force: true }),
    };
  },
});
