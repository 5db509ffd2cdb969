import type { ServerResponse } from 'node:http';
import { Controller, Delete, Get, Header, Inject, Param, Query, Res } from '@nestjs/common';
import { z } from 'zod';
import type {
  FindingsAnswer,
  InstrumentsAnswer,
  RunAnswer,
  RunsAnswer,
  SeriesAnswer,
  SeriesNamesAnswer,
} from '../events/http.js';
import { parse } from '../http/parse.js';
import { runIdSchema } from '../http/run-id.js';
import { RunsService } from './runs.service.js';

const step = z.coerce.number().int('expected a whole step').min(0, 'expected a step of at least 0').max(Number.MAX_SAFE_INTEGER);
const name = z.string().min(1, 'expected the name of a series').max(200, 'expected at most 200 characters');

const listQuery = z.object({
  project: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(1000, 'expected at most 1000').default(200),
  after: z
    .string()
    .regex(/^\d{1,15}\.r[0-9a-z]{26}$/, 'expected the `next` of the page before')
    .optional(),
});
const seriesQuery = z.object({
  name,
  key: z.string().max(200).default(''),
  from: step.optional(),
  to: step.optional(),
  max: z.coerce.number().int().min(2, 'expected at least 2 points').max(200_000, 'expected at most 200000 points').default(5000),
});

function place(after: string): { readonly createdMs: number; readonly run: string } {
  const dot = after.indexOf('.');
  return { createdMs: Number(after.slice(0, dot)), run: after.slice(dot + 1) };
}

@Controller('api/runs')
export class RunsController {
  constructor(@Inject(RunsService) private readonly runs: RunsService) {}

  @Get()
  @Header('cache-control', 'no-store')
  async list(@Query() query: unknown): Promise<RunsAnswer> {
    const { project, limit, after } = parse(listQuery, query, 'query');
    return this.runs.list({
      limit,
      ...(project !== undefined && { project }),
      ...(after !== undefined && { after: place(after) }),
    });
  }

  @Get(':run')
  @Header('cache-control', 'no-store')
  async one(@Param('run') run: string): Promise<RunAnswer> {
    return this.runs.one(parse(runIdSchema, run, 'run'));
  }

  @Get(':run/findings')
  @Header('cache-control', 'no-store')
  async findings(@Param('run') run: string): Promise<FindingsAnswer> {
    return this.runs.findings(parse(runIdSchema, run, 'run'));
  }

  @Get(':run/instruments')
  @Header('cache-control', 'no-store')
  async instruments(@Param('run') run: string): Promise<InstrumentsAnswer> {
    return this.runs.instruments(parse(runIdSchema, run, 'run'));
  }

  @Get(':run/series-names')
  @Header('cache-control', 'no-store')
  async seriesNames(@Param('run') run: string): Promise<SeriesNamesAnswer> {
    return this.runs.seriesNames(parse(runIdSchema, run, 'run'));
  }

  @Get(':run/series')
  @Header('cache-control', 'no-store')
  async series(@Param('run') run: string, @Query() query: unknown): Promise<SeriesAnswer> {
    const { name, key, from, to, max } = parse(seriesQuery, query, 'query');
    return this.runs.series({
      run: parse(runIdSchema, run, 'run'),
      name,
      key,
      maxPoints: max,
      ...(from !== undefined && { fromStep: from }),
      ...(to !== undefined && { toStep: to }),
    });
  }

  @Delete(':run')
  async delete(@Param('run') run: string, @Res() response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.statusCode = (await this.runs.delete(parse(runIdSchema, run, 'run'), gone.signal)) ? 204 : 202;
    response.end();
  }
}
