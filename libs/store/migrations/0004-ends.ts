import type { Migration } from './migration.js';

/** What a job said of its end, and whether its updates are of the whole training set: `batch_size` 0 says nothing of that. */
export const ends: Migration = {
  number: 4,
  name: 'ends',
  statements: [
    "ALTER TABLE runs_raw ADD COLUMN IF NOT EXISTS message String DEFAULT ''",
    'ALTER TABLE runs_raw ADD COLUMN IF NOT EXISTS full_batch Bool DEFAULT false',
    // A view keeps the columns that it was made with.
    'CREATE OR REPLACE VIEW runs AS SELECT * FROM runs_raw FINAL',
  ],
};
