import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { Body, Controller, Inject, Post, Res } from '@nestjs/common';
import { z } from 'zod';
import { OPTIONS, type DashboardOptions } from '../options.js';
import { parse } from './parse.js';

const maxSeconds = 60;

const requestSchema = z.object({
  sql: z.string({ error: 'expected a query' }).min(1, 'expected a query').max(200_000, 'expected at most 200000 characters'),
  format: z
    .string()
    .regex(/^[A-Za-z0-9]{1,60}$/, 'expected the name of a ClickHouse output format')
    .default('JSON'),
});

/** Foreign, read-only queries; the answer goes out as it comes. */
@Controller('api/sql')
export class SqlController {
  constructor(@Inject(OPTIONS) private readonly options: DashboardOptions) {}

  @Post()
  async query(@Body() body: unknown, @Res() response: ServerResponse): Promise<void> {
    const { sql, format } = parse(requestSchema, body, 'body');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const rows = await this.options.store.query({ sql, format, maxSeconds, signal: gone.signal });
    try {
      await forward(rows, response, format, gone.signal);
    } finally {
      rows.destroy();
    }
  }
}

async function forward(rows: Readable, response: ServerResponse, format: string, signal: AbortSignal): Promise<void> {
  response.statusCode = 200;
  response.setHeader('content-type', contentType(format));
  response.setHeader('cache-control', 'no-store');
  for await (const chunk of rows as AsyncIterable<Uint8Array | string>) {
    if (signal.aborted) return;
    if (!response.write(chunk)) await once(response, 'drain', { signal }).catch(() => undefined);
  }
  response.end();
}

function contentType(format: string): string {
  if (format.endsWith('EachRow') && format.startsWith('JSON')) return 'application/x-ndjson; charset=utf-8';
  if (format.startsWith('JSON')) return 'application/json; charset=utf-8';
  if (/^(Native|RowBinary|Parquet|Arrow|ORC|Avro|MsgPack|Protobuf|BSON)/.test(format)) return 'application/octet-stream';
  if (format.startsWith('CSV')) return 'text/csv; charset=utf-8';
  if (format.startsWith('TabSeparated') || format.startsWith('TSV')) return 'text/tab-separated-values; charset=utf-8';
  return 'text/plain; charset=utf-8';
}
