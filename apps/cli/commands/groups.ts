import type { GroupsAnswer } from '#dashboard/events/groups.js';
import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, UsageError, type Command } from '../command.js';
import { ago, table } from '../table.js';

export const groupsCommand: Command = {
  name: 'groups',
  usage: '[remove STREAM GROUP --yes]',
  summary: 'Who works through the streams of the bus; one that nobody works for any more can be removed.',
  description: 'A message is kept until every group of its stream is past it, so a group that is gone makes its stream grow.',
  options: { ...clientOptions, yes: { type: 'boolean', short: 'y', help: 'Really: what only this group had to read goes too.' } },
  maxPositionals: 3,
  async run({ flags, positionals, io }) {
    const client = new ServiceClient(flags['url'] as string | undefined);
    const [verb, stream, group] = positionals;
    if (verb === undefined) {
      const { groups } = await client.get<GroupsAnswer>('/api/groups');
      if (flags['json'] === true) io.out(`${JSON.stringify(groups)}\n`);
      else {
        const rows = groups.map((each) => [
          each.stream,
          each.name,
          String(each.messages),
          each.oldestMs === undefined ? '' : ago(each.oldestMs),
          each.atWork ? 'at work' : 'nobody works for it',
        ]);
        io.out(table([['STREAM', 'GROUP', 'WAITING', 'OLDEST', ''], ...rows]));
      }
      return exitCodes.ok;
    }
    if (verb !== 'remove' || stream === undefined || group === undefined)
      throw new UsageError('groups, or groups remove STREAM GROUP');
    if (flags['yes'] !== true)
      throw new UsageError(`this removes ${group} with all that it had not finished; say --yes to do it`);
    await client.fetch(`/api/groups/${encodeURIComponent(stream)}/${encodeURIComponent(group)}`, { method: 'DELETE' });
    io.out(`The group ${group} of ${stream} is gone.\n`);
    return exitCodes.ok;
  },
};
