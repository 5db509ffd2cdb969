import type { ServerResponse } from 'node:http';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { OPTIONS, type DashboardOptions, type ReadinessCheck } from '../options.js';
import type { ReadyAnswer } from '../events/http.js';
import { sendJson, sendText } from './send.js';

const checkMs = 3000;

/** What orchestrators and Prometheus ask. */
@Controller()
export class HealthController {
  constructor(@Inject(OPTIONS) private readonly options: DashboardOptions) {}

  @Get('healthz')
  healthz(@Res() response: ServerResponse): void {
    sendJson(response, 200, { healthy: true });
  }

  @Get('readyz')
  async readyz(@Res() response: ServerResponse): Promise<void> {
    const { bus, blobs, store, readiness = [] } = this.options;
    const parts: ReadinessCheck[] = [
      { name: 'bus', check: () => bus.check() },
      { name: 'blobs', check: () => blobs.check() },
      { name: 'store', check: () => store.check() },
      ...readiness,
    ];
    const checks = await Promise.all(parts.map(ask));
    const body: ReadyAnswer = { ready: checks.every((check) => check.ready), checks };
    sendJson(response, body.ready ? 200 : 503, body);
  }

  @Get('metrics')
  async metrics(@Res() response: ServerResponse): Promise<void> {
    const { registry } = this.options.metrics;
    sendText(response, 200, await registry.metrics(), registry.contentType);
  }
}

async function ask(part: ReadinessCheck): Promise<ReadyAnswer['checks'][number]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${checkMs} ms`)), checkMs);
  });
  try {
    await Promise.race([part.check(), late]);
    return { name: part.name, ready: true };
  } catch (error) {
    return { name: part.name, ready: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
