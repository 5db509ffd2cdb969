import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, UsageError, type Command } from '../command.js';

/** Asked for at the same time, so that the service removes them together. */
const atOnce = 200;

export const deleteCommand: Command = {
  name: 'delete',
  usage: 'RUN… --yes',
  summary: 'Remove runs with their rows, snapshots, probe sets and state.',
  options: { ...clientOptions, yes: { type: 'boolean', short: 'y', help: 'Really: there is no way back.' } },
  maxPositionals: 10_000,
  async run({ flags, positionals, io }) {
    const runs = [...new Set(positionals)];
    if (runs.length === 0) throw new UsageError("which run? 'stagewatch runs' lists them");
    const what = runs.length === 1 ? runs[0]! : `${runs.length} runs`;
    if (flags['yes'] !== true) throw new UsageError(`this removes everything that is known of ${what}; say --yes to do it`);
    const client = new ServiceClient(flags['url'] as string | undefined);
    let failed = false;
    const remove = async (run: string): Promise<void> => {
      const { status } = await client.fetch(`/api/runs/${encodeURIComponent(run)}`, { method: 'DELETE' });
      const done = status !== 202;
      if (flags['json'] === true) io.out(`${JSON.stringify({ run, deleted: done })}\n`);
      else io.out(done ? `${run} is gone.\n` : `${run} will be removed as soon as the analyzer has put it down.\n`);
    };
    for (let from = 0; from < runs.length; from += atOnce) {
      const results = await Promise.allSettled(runs.slice(from, from + atOnce).map(remove));
      for (const result of results) {
        if (result.status === 'fulfilled') continue;
        // Of one run the command itself says what is wrong; of many, each is told and the others go on.
        if (runs.length === 1) throw result.reason;
        failed = true;
        io.err(`${result.reason instanceof Error ? result.reason.message : String(result.reason)}\n`);
      }
    }
    return failed ? exitCodes.failed : exitCodes.ok;
  },
};
