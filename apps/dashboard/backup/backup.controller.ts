import { isAbsolute } from 'node:path';
import type { ServerResponse } from 'node:http';
import { Body, Controller, Inject, Post, Res } from '@nestjs/common';
import { z } from 'zod';
import { errorBody, StagewatchError } from '#runtime/errors.js';
import { parse } from '../http/parse.js';
import { OPTIONS, type DashboardOptions } from '../options.js';
import type { BackupLine } from '../events/backup.js';
import { createBackup } from './create-backup.js';

const requestSchema = z.object({
  folder: z.string().max(4096).refine(isAbsolute, 'expected an absolute path on the machine of the service'),
});

/** A backup while the service runs: answers what is being done in lines of JSON, the last of which says how it ended. */
@Controller('api/backup')
export class BackupController {
  private underWay = false;

  constructor(@Inject(OPTIONS) private readonly options: DashboardOptions) {}

  @Post()
  async backup(@Body() body: unknown, @Res() response: ServerResponse): Promise<void> {
    const { folder } = parse(requestSchema, body, 'body');
    if (this.underWay) throw new StagewatchError('UNAVAILABLE', 'a backup is under way', { retryAfterMs: 60_000 });
    this.underWay = true;
    const { bus, blobs, store, logger, version = '' } = this.options;
    const say = (line: BackupLine): void => void response.write(`${JSON.stringify(line)}\n`);
    response.setHeader('content-type', 'application/x-ndjson; charset=utf-8');
    response.setHeader('cache-control', 'no-store');
    try {
      const progress = (text: string): void => say({ kind: 'progress', text });
      const { files } = await createBackup(folder, { bus, blobs, store, version, progress });
      logger.info({ folder, files: files.length }, 'backup made');
      say({ kind: 'done', folder, files: files.length, bytes: files.reduce((sum, file) => sum + file.bytes, 0) });
    } catch (error) {
      logger.error({ err: error, folder }, 'backup failed');
      say({ kind: 'failed', error: errorBody(error) });
    } finally {
      this.underWay = false;
      response.end();
    }
  }
}
