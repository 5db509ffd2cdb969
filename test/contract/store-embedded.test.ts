import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '#store/index.js';
import { storeContract } from './store-contract.js';

storeContract({
  name: 'embedded',
  create: async () => {
    const path = await mkdtemp(join(tmpdir(), 'stagewatch-store-'));
    return {
      open: () => openEmbeddedStore({ path }),
      destroy: () => rm(path, { recursive: true, force: true }),
    };
  },
});
