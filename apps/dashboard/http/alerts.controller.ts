import type { ServerResponse } from 'node:http';
import { Body, Controller, Delete, Get, Header, HttpCode, Inject, Param, Post, Put, Query, Res } from '@nestjs/common';
import { z } from 'zod';
import { StagewatchError } from '#runtime/errors.js';
import type { AlertsPort } from '../alerts-port.js';
import { OPTIONS, type DashboardOptions } from '../options.js';
import { parse } from './parse.js';
import { runIdSchema } from './run-id.js';

const idSchema = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 characters of A-Z a-z 0-9 _ -');
const bodySchema = z.record(z.string(), z.unknown(), 'expected a JSON object');
const deliveriesQuery = z.object({
  run: runIdSchema.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
});

/** Rules of the alerts, and what became of each delivery. */
@Controller('api/alerts')
export class AlertsController {
  constructor(@Inject(OPTIONS) private readonly options: DashboardOptions) {}

  @Get('rules')
  @Header('cache-control', 'no-store')
  async list(): Promise<{ rules: readonly object[] }> {
    return { rules: await this.alerts.rules.list() };
  }

  /** Without an id the alerts make one. */
  @Put('rules')
  async create(@Body() body: unknown): Promise<{ rule: object }> {
    return { rule: await this.alerts.rules.put(parse(bodySchema, body, 'rule')) };
  }

  @Put('rules/:id')
  async put(@Param('id') id: string, @Body() body: unknown): Promise<{ rule: object }> {
    const rule = { ...parse(bodySchema, body, 'rule'), id: parse(idSchema, id, 'id') };
    return { rule: await this.alerts.rules.put(rule) };
  }

  @Delete('rules/:id')
  async delete(@Param('id') id: string, @Res() response: ServerResponse): Promise<void> {
    await this.alerts.rules.delete(parse(idSchema, id, 'id'));
    response.statusCode = 204;
    response.end();
  }

  /** Sends something made up, so that a receiver can be tried before anything happens. */
  @Post('rules/:id/test')
  @HttpCode(200)
  async test(@Param('id') id: string): Promise<object> {
    const { alerts } = this;
    if (alerts.test === undefined) throw new StagewatchError('NOT_FOUND', 'These alerts cannot be tried.');
    return alerts.test(parse(idSchema, id, 'id'));
  }

  @Get('deliveries')
  @Header('cache-control', 'no-store')
  async deliveries(@Query() query: unknown): Promise<{ deliveries: readonly object[] }> {
    const { run, limit } = parse(deliveriesQuery, query, 'query');
    return { deliveries: await this.alerts.deliveries({ limit, ...(run !== undefined && { run }) }) };
  }

  private get alerts(): AlertsPort {
    if (this.options.alerts !== undefined) return this.options.alerts;
    throw new StagewatchError('NOT_FOUND', 'Alerts are not running in this process.');
  }
}
