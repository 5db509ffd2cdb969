import { setTimeout as wait } from 'node:timers/promises';
import { createRandom } from '#math/random.js';
import type { JobEnd, JobProcess } from './job-process.js';
import { runPicture, type RunPicture } from './run-picture.js';
import { withScene } from './scene.js';
import { eventually, freePorts } from './service-process.js';

export interface WatchedJob {
  readonly name: string;
  readonly end: JobEnd;
  readonly picture: RunPicture;
}

export interface KillReport {
  readonly killed: readonly WatchedJob[];
  /** The same jobs, on a service that nobody kills. */
  readonly undisturbed: readonly WatchedJob[];
  /** Rounds in which it was killed before it was ready. */
  readonly whileStarting: number;
  /** From the start of the process until it said that it was ready. */
  readonly startsMs: readonly number[];
  /** What the undisturbed part took. */
  readonly calmMs: number;
}

export interface KillOptions {
  readonly rounds: number;
  readonly seed: number;
  /** One that imports torch; without it only the Node job runs. */
  readonly python: string | undefined;
  readonly steps: number;
}

/**
 * So few that measuring keeps up, also after rounds in which hardly a measurement came to its end: what is left out because
 * it does not is another story than what is lost.
 */
export const snapshotEveryOf = (steps: number): number => Math.max(5, Math.round(steps / 60));

/** In every third round it is killed so long after its start at most, ready or not. */
const startMs = 1500;
/** In the others, so long after both jobs stream again. */
const streamingMs = 600;

/** Two jobs stream while the service is killed again and again; the same jobs on a service of their own are the truth. */
export function killRounds({ rounds, seed, python, steps }: KillOptions): Promise<KillReport> {
  return withScene(async (scene) => {
    const snapshotEvery = snapshotEveryOf(steps);
    const start = (address: string, paced: boolean): readonly JobProcess[] => [
      scene.nodeJob({ address, steps, paced, snapshotEvery }),
      ...(python === undefined ? [] : [scene.torchJob(python, { address, steps, paced, snapshotEvery })]),
    ];
    const began = performance.now();
    const calm = await scene.service({ dataDir: scene.path('calm') });
    const undisturbed = await finish(start(calm.address, false), calm);
    await calm.stop();
    const calmMs = performance.now() - began;

    const random = createRandom(seed);
    const ports = await freePorts();
    const jobs = start(`127.0.0.1:${ports.grpc}`, true);
    const startsMs: number[] = [];
    let whileStarting = 0;
    for (let round = 1; round <= rounds; round++) {
      const service = scene.launch({ ports });
      const started = performance.now();
      let isReady = false;
      const ready = service.ready.then(
        () => {
          isReady = true;
          startsMs.push(performance.now() - started);
        },
        () => undefined,
      );
      // A share of the steps for each round, so that something is under way in every one.
      for (const job of jobs) job.allow(Math.floor((steps * round) / (rounds + 1)));
      if (round % 3 === 0) await wait(random.uniform() * startMs);
      else {
        await ready;
        await eventually(
          () => openStreams(service),
          (streams) => streams >= jobs.length,
        );
        await wait(random.uniform() * streamingMs);
      }
      await service.kill();
      if (!isReady) whileStarting++;
    }
    const service = await scene.service({ ports });
    // A job that has never reached the service does not wait long for it at its end.
    await Promise.all(jobs.map((job) => job.run));
    for (const job of jobs) job.release();
    const killed = await finish(jobs, service);
    await service.stop();
    return { killed, undisturbed, whileStarting, startsMs, calmMs };
  });
}

async function openStreams({ url }: { readonly url: string }): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^stagewatch_streams (\d+)/m.exec(metrics)?.[1]);
}

/** The Node job logs four numbers a step, the other one three and the learning rate once. */
const rowsOf = { node: (steps: number) => 4 * steps, torch: (steps: number) => 3 * steps + 1 } as const;

async function finish(jobs: readonly JobProcess[], service: { readonly url: string }): Promise<readonly WatchedJob[]> {
  return Promise.all(
    jobs.map(async (job, i) => {
      const name = i === 0 ? 'node' : 'torch';
      const end = await job.exited;
      return { name, end, picture: await runPicture(service, await job.run, rowsOf[name](end.steps)) };
    }),
  );
}
