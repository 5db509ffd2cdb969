import { Controller, Delete, Get, Header, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import type { DeadLetterAnswer, DeadLetterRetriedAnswer, DeadLettersAnswer } from '../events/dead-letters.js';
import { parse } from '../http/parse.js';
import { runIdSchema } from '../http/run-id.js';
import { DeadLettersService } from './dead-letters.service.js';

const nameSchema = z.string().regex(/^[a-z][a-z-]{0,62}$/, 'expected the name of a stream or a group');
const listQuery = z.object({
  run: runIdSchema.optional(),
  group: nameSchema.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
});
const pathSchema = z.object({
  stream: nameSchema,
  group: nameSchema,
  run: runIdSchema,
  position: z.coerce.number().int().min(1),
});

/** What was set aside: looked at, tried again, forgotten. */
@Controller('api/dead-letters')
export class DeadLettersController {
  constructor(@Inject(DeadLettersService) private readonly service: DeadLettersService) {}

  @Get()
  @Header('cache-control', 'no-store')
  list(@Query() query: unknown): Promise<DeadLettersAnswer> {
    const { run, group, limit } = parse(listQuery, query, 'query');
    return this.service.list({ limit, ...(run !== undefined && { run }), ...(group !== undefined && { group }) });
  }

  @Get(':stream/:group/:run/:position')
  @Header('cache-control', 'no-store')
  one(@Param() path: unknown): Promise<DeadLetterAnswer> {
    return this.service.one(parse(pathSchema, path, 'id'));
  }

  @Post(':stream/:group/:run/:position/retry')
  @HttpCode(200)
  async retry(@Param() path: unknown): Promise<DeadLetterRetriedAnswer> {
    await this.service.retry(parse(pathSchema, path, 'id'));
    return { retried: true };
  }

  @Delete(':stream/:group/:run/:position')
  @HttpCode(204)
  async drop(@Param() path: unknown): Promise<void> {
    await this.service.drop(parse(pathSchema, path, 'id'));
  }
}
