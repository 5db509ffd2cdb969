import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobs } from '../jobs/table.js';
import { openCorpusService, removeFolder, tell } from '../jobs/tell.js';
import { findPython } from '../support/needs.js';

/** The short part of `npm run jobs`, on the PyTorch that the tests have. */
const python = findPython('real jobs, the short part', ['torch', 'sklearn', 'grpc', 'google.protobuf']);

describe.skipIf(python === undefined)('real jobs are told truly', () => {
  let service: Awaited<ReturnType<typeof openCorpusService>>;

  beforeAll(async () => {
    service = await openCorpusService();
  });

  afterAll(async () => {
    await service?.stop();
    if (service !== undefined) removeFolder(service.folder);
  });

  it.each(jobs.filter(({ short }) => short === true))('$name', { timeout: 300_000 }, async (job) => {
    const answer = await tell(job, python!, service, { folder: mkdtempSync(join(service.folder, 'job-')) });
    expect((await answer()).untrue).toEqual([]);
  });
});
