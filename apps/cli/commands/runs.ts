import type { RunBody, RunsAnswer } from '#dashboard/events/http.js';
import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, UsageError, type Command } from '../command.js';
import { measuringText } from '../measuring-text.js';
import { stageName } from '../stage-names.js';
import { ago, table } from '../table.js';

/** As many as the service gives at once. */
const pageRuns = 1000;

export const runsCommand: Command = {
  name: 'runs',
  usage: '[--project P] [--limit N | --all]',
  summary: 'List the runs of a running service, newest first.',
  options: {
    ...clientOptions,
    project: { type: 'string', value: 'P', help: 'Only runs of this project.' },
    limit: { type: 'string', value: 'N', help: 'At most so many (default 50).' },
    all: { type: 'boolean', help: 'All of them.' },
  },
  maxPositionals: 0,
  async run({ flags, io }) {
    const limit = flags['all'] === true ? Infinity : Number((flags['limit'] as string | undefined) ?? '50');
    if (!(limit >= 1)) throw new UsageError(`--limit takes a number from 1 on, not '${String(flags['limit'])}'`);
    const client = new ServiceClient(flags['url'] as string | undefined);
    const runs = await fetchRuns(client, flags['project'] as string | undefined, limit);
    if (flags['json'] === true) io.out(`${JSON.stringify(runs)}\n`);
    else if (runs.length === 0)
      io.out("No runs yet. 'stagewatch demo' starts one; docs/python-probe.md shows how to attach yours.\n");
    else {
      io.out(
        table([
          [
            'RUN',
            'NAME',
            'PROJECT',
            'STATUS',
            'STAGE',
            'STEP',
            'SEEN',
            ...(runs.some((r) => measuringText(r.measuring) !== '') ? ['MEASUREMENTS'] : []),
          ],
          ...runs.map((r) => [
            r.run,
            r.name,
            r.project,
            r.status,
            stageName(r.stage),
            String(r.step),
            ago(r.seenMs),
            measuringText(r.measuring),
          ]),
        ]),
      );
    }
    return exitCodes.ok;
  },
};

/** Page after page. */
async function fetchRuns(client: ServiceClient, project: string | undefined, limit: number): Promise<readonly RunBody[]> {
  const runs: RunBody[] = [];
  let after: string | undefined;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(pageRuns, limit - runs.length)) });
    if (project !== undefined) query.set('project', project);
    if (after !== undefined) query.set('after', after);
    const page = await client.get<RunsAnswer>(`/api/runs?${query.toString()}`);
    for (const run of page.runs) runs.push(run);
    after = page.next;
  } while (after !== undefined && runs.length < limit);
  return runs;
}
