import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FindingBody, RunBody } from '#bus/messages.js';
import type { Config } from '#runtime/config.js';
import { sleep } from '#runtime/retry.js';
import { ServiceClient } from '../client.js';
import { exitCodes, type Command, type Io } from '../command.js';
import type { Service } from '../service.js';
import { serviceConfig, serviceOptions } from '../service-options.js';
import { stageName } from '../stage-names.js';
import { measuringText } from '../measuring-text.js';
import { findingLine, followFindings } from './findings.js';
import { announcement } from './up.js';

const attachPollMs = 200;
/** After the job has ended, the last snapshots may still be measured. */
const settleMs = 120_000;

export const demoCommand: Command = {
  name: 'demo',
  usage: '[OPTIONS]',
  summary: 'Start the service and a small real training job that reaches the edge of stability in about a minute.',
  description: 'The job is a process of its own and attaches over gRPC like any other.',
  options: {
    ...serviceOptions,
    keep: { type: 'boolean', help: 'Keep the service running after the job has ended, until Ctrl-C.' },
  },
  maxPositionals: 0,
  async run(invocation) {
    const { io, flags } = invocation;
    const config = serviceConfig(invocation, { STAGEWATCH_LOG_LEVEL: 'warn' });
    const startedMs = performance.now();
    const { startService } = await import('../service.js');
    const service = await startService(config);
    try {
      io.out(announcement(service, config, performance.now() - startedMs));
      return await watchJob(service, config, io, flags['keep'] === true);
    } finally {
      await service.close();
    }
  },
};

async function watchJob(service: Service, config: Config, io: Io, keep: boolean): Promise<number> {
  const client = new ServiceClient(service.localUrl);
  const known = new Set((await client.get<{ runs: RunBody[] }>('/api/runs')).runs.map((run) => run.run));
  const job = startJob(`${config.host}:${service.ports.grpc}`, config.token);
  const stop = (): void => void job.kill('SIGTERM');
  io.signal.addEventListener('abort', stop, { once: true });
  const ended = once(job, 'exit') as Promise<[number | null]>;
  const run = await attachedRun(client, known, ended, io);
  if (run === undefined) {
    const [code] = await ended;
    return io.signal.aborted ? exitCodes.ok : fail(io, `the training job ended with code ${code} before it attached`);
  }
  io.out(`\nWatch it live: ${service.pageUrl}runs/${run.run}\n\n`);
  const done = new AbortController();
  io.signal.addEventListener('abort', () => done.abort(), { once: true });
  const stages: FindingBody[] = [];
  const printing = (async () => {
    for await (const finding of followFindings(client, run.run, done.signal)) {
      io.out(`${findingLine(finding)}\n`);
      if (finding.kind === 'stage') stages.push(finding);
    }
  })();
  const [code] = await ended;
  await settled(client, run.run, io.signal);
  done.abort();
  await printing;
  io.out(await summary(client, run.run, stages));
  if (keep && !io.signal.aborted) {
    io.out(`\nThe service stays up at ${service.pageUrl}; Ctrl-C ends it.\n`);
    await once(io.signal, 'abort');
  }
  return code === 0 || io.signal.aborted ? exitCodes.ok : fail(io, `the training job ended with code ${code}`);
}

function startJob(address: string, token: string | undefined): ChildProcess {
  const script = fileURLToPath(import.meta.resolve('#lab/demo-job.js'));
  const access = token === undefined ? [] : ['--token', token];
  return spawn(process.execPath, [script, '--address', address, ...access], { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function attachedRun(
  client: ServiceClient,
  known: ReadonlySet<string>,
  ended: Promise<unknown>,
  io: Io,
): Promise<RunBody | undefined> {
  let over = false;
  void ended.then(() => (over = true));
  while (!over && !io.signal.aborted) {
    const { runs } = await client.get<{ runs: RunBody[] }>('/api/runs');
    const run = runs.find((candidate) => !known.has(candidate.run));
    if (run !== undefined) return run;
    await sleep(attachPollMs, io.signal);
  }
  return undefined;
}

/** Waits until the judge has seen the end of the run, and all that is measured of it. */
async function settled(client: ServiceClient, run: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + settleMs;
  while (!signal.aborted && Date.now() < deadline) {
    const { run: body } = await client.get<{ run: RunBody }>(`/api/runs/${run}`);
    if (body.status !== 'running' && measuringText(body.measuring) === '') return;
    await sleep(attachPollMs, signal);
  }
}

async function summary(client: ServiceClient, run: string, stages: readonly FindingBody[]): Promise<string> {
  const { run: body } = await client.get<{ run: RunBody }>(`/api/runs/${run}`);
  const road = stages.map((finding) => `${stageName(finding.to ?? '')} (step ${finding.step})`).join(' → ');
  return [
    '',
    `The job ${body.status} at step ${body.step}.`,
    `Stages: ${road === '' ? 'none was declared' : road}`,
    `Look again: stagewatch show ${run}`,
    '',
  ].join('\n');
}

function fail(io: Io, message: string): number {
  io.err(`stagewatch demo: ${message}\n`);
  return exitCodes.failed;
}
