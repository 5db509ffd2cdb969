import type { RunBody } from '#bus/messages.js';
import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, type Command } from '../command.js';
import { measuringText } from '../measuring-text.js';
import { stageName } from '../stage-names.js';
import { ago, table } from '../table.js';

export const runsCommand: Command = {
  name: 'runs',
  usage: '[--project P] [--limit N]',
  summary: 'List the runs of a running service, newest first.',
  options: {
    ...clientOptions,
    project: { type: 'string', value: 'P', help: 'Only runs of this project.' },
    limit: { type: 'string', value: 'N', help: 'At most so many (default 50).' },
  },
  maxPositionals: 0,
  async run({ flags, io }) {
    const query = new URLSearchParams({ limit: (flags['limit'] as string | undefined) ?? '50' });
    if (typeof flags['project'] === 'string') query.set('project', flags['project']);
    const client = new ServiceClient(flags['url'] as string | undefined);
    const { runs } = await client.get<{ runs: RunBody[] }>(`/api/runs?${query.toString()}`);
    if (flags['json'] === true) io.out(`${JSON.stringify(runs)}\n`);
    else if (runs.length === 0)
      io.out("No runs yet. 'stagewatch demo' starts one; docs/python-probe.md shows how to attach yours.\n");
    else {
      io.out(
        table([
          ['RUN', 'NAME', 'PROJECT', 'STATUS', 'STAGE', 'STEP', 'SEEN', ...(runs.some((r) => measuringText(r.measuring) !== '') ? ['MEASUREMENTS'] : [])],
          ...runs.map((r) => [r.run, r.name, r.project, r.status, stageName(r.stage), String(r.step), ago(r.seenMs), measuringText(r.measuring)]),
        ]),
      );
    }
    return exitCodes.ok;
  },
};
