import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNodeJob, startTorchJob, startWideJob, type JobProcess } from './job-process.js';
import { freePorts, launchService, type LaunchedService, type ServiceOptions } from './service-process.js';
import type { WideJobOptions } from '../attacks/jobs/wide-job.js';
import type { JobOptions } from '../system/jobs/job-options.js';

/** A folder and processes that are gone when the test is over, however it ended. */
export class Scene {
  readonly folder = mkdtempSync(join(tmpdir(), 'stagewatch-system-'));
  private readonly ended: (() => Promise<unknown>)[] = [];

  path(name: string): string {
    return join(this.folder, name);
  }

  /** A service that is ready. */
  async service(options: Partial<ServiceOptions> = {}): Promise<LaunchedService> {
    const service = this.launch({ ...options, ports: options.ports ?? (await freePorts()) });
    await service.ready;
    return service;
  }

  launch(options: Partial<ServiceOptions> & Pick<Required<ServiceOptions>, 'ports'>): LaunchedService {
    const service = launchService({ dataDir: this.path('data'), ...options });
    this.ended.push(() => service.kill());
    return service;
  }

  nodeJob(options: JobOptions): JobProcess {
    return this.keep(startNodeJob(options));
  }

  wideJob(options: WideJobOptions): JobProcess {
    return this.keep(startWideJob(options));
  }

  torchJob(python: string, options: JobOptions): JobProcess {
    return this.keep(startTorchJob(python, options));
  }

  /** Is called at the end, the newest first. */
  atEnd(end: () => unknown): void {
    this.ended.push(async () => end());
  }

  async close(): Promise<void> {
    for (const end of this.ended.splice(0).reverse()) await end();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private keep(job: JobProcess): JobProcess {
    this.ended.push(() => {
      job.kill();
      return job.exited;
    });
    return job;
  }
}

export async function withScene<T>(play: (scene: Scene) => Promise<T>): Promise<T> {
  const scene = new Scene();
  try {
    return await play(scene);
  } finally {
    await scene.close();
  }
}
