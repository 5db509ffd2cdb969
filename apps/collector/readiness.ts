import { HealthImplementation } from 'grpc-health-check';
import type { Logger } from '#runtime/logging.js';
import { PeriodicTask } from '#runtime/periodic.js';
import { serviceName } from '#wire/service.js';

const intervalMs = 2000;

/** Mirrors whether the ports can take things now into `grpc.health.v1`. */
export class Readiness {
  readonly health = new HealthImplementation({ '': 'NOT_SERVING', [serviceName]: 'NOT_SERVING' });
  private readonly task: PeriodicTask;
  private ready: boolean | undefined;

  constructor(
    private readonly checks: readonly { check(): Promise<void> }[],
    private readonly logger: Logger,
  ) {
    this.task = new PeriodicTask({ name: 'readiness', intervalMs, logger }, () => this.look());
  }

  async start(): Promise<void> {
    await this.look();
    this.task.start();
  }

  async close(): Promise<void> {
    await this.task.close();
    this.show(false);
  }

  private async look(): Promise<void> {
    try {
      await Promise.all(this.checks.map((port) => port.check()));
      this.show(true);
    } catch (error) {
      if (this.ready !== false) this.logger.warn({ err: error }, 'not ready');
      this.show(false);
    }
  }

  private show(ready: boolean): void {
    if (this.ready === ready) return;
    this.ready = ready;
    for (const service of ['', serviceName]) this.health.setStatus(service, ready ? 'SERVING' : 'NOT_SERVING');
  }
}
