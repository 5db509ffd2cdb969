import { defineConfig } from 'vitest/config';

// chDB crashes in worker threads, so every test file gets a process of its own.
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'], externalConditions: ['source'] } },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    include: ['{libs,apps,test,grafana,tools}/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
