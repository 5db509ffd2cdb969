import type { FindingBody } from '#bus/messages.js';
import { sleep } from '#runtime/retry.js';
import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, UsageError, type Command } from '../command.js';

const followIntervalMs = 500;

export const findingsCommand: Command = {
  name: 'findings',
  usage: 'RUN [--follow]',
  summary: 'What was concluded about a run, a line each.',
  options: {
    ...clientOptions,
    follow: { type: 'boolean', short: 'f', help: 'Go on as findings come, until Ctrl-C.' },
  },
  maxPositionals: 1,
  async run({ flags, positionals, io }) {
    const [run] = positionals;
    if (run === undefined) throw new UsageError("which run? 'stagewatch runs' lists them");
    const client = new ServiceClient(flags['url'] as string | undefined);
    const print = flags['json'] === true ? (f: FindingBody) => JSON.stringify(f) : findingLine;
    for await (const finding of followFindings(client, run, flags['follow'] === true ? io.signal : undefined))
      io.out(`${print(finding)}\n`);
    return exitCodes.ok;
  },
};

/** Each finding once, in order; with a signal it goes on until that is aborted. */
export async function* followFindings(client: ServiceClient, run: string, signal?: AbortSignal): AsyncGenerator<FindingBody> {
  const seen = new Set<string>();
  for (;;) {
    const { findings } = await client.get<{ findings: FindingBody[] }>(`/api/runs/${encodeURIComponent(run)}/findings`);
    for (const finding of findings) {
      if (seen.has(finding.id)) continue;
      seen.add(finding.id);
      yield finding;
    }
    if (signal === undefined || signal.aborted) return;
    await sleep(followIntervalMs, signal);
  }
}

export function findingLine(finding: FindingBody): string {
  const mark = { info: ' ', warning: '!', critical: '‼' }[finding.severity];
  return `${mark} ${finding.text}${finding.provisional ? ' (provisional)' : ''}`;
}
