import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, UsageError, type Command } from '../command.js';

export const deleteCommand: Command = {
  name: 'delete',
  usage: 'RUN --yes',
  summary: 'Remove a run with its rows, snapshots, probe sets and state.',
  options: { ...clientOptions, yes: { type: 'boolean', short: 'y', help: 'Really: there is no way back.' } },
  maxPositionals: 1,
  async run({ flags, positionals, io }) {
    const [run] = positionals;
    if (run === undefined) throw new UsageError("which run? 'stagewatch runs' lists them");
    if (flags['yes'] !== true) throw new UsageError(`this removes everything that is known of ${run}; say --yes to do it`);
    const client = new ServiceClient(flags['url'] as string | undefined);
    const { status } = await client.fetch(`/api/runs/${encodeURIComponent(run)}`, { method: 'DELETE' });
    const done = status !== 202;
    if (flags['json'] === true) io.out(`${JSON.stringify({ run, deleted: done })}\n`);
    else io.out(done ? `${run} is gone.\n` : `${run} will be removed as soon as the analyzer has put it down.\n`);
    return exitCodes.ok;
  },
};
