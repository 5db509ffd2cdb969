import { Controller, Delete, Get, Header, HttpCode, Inject, Param } from '@nestjs/common';
import { z } from 'zod';
import { streams } from '#bus/bus.js';
import { StagewatchError } from '#runtime/errors.js';
import type { GroupsAnswer } from '../events/groups.js';
import { parse } from '../http/parse.js';
import { OPTIONS, type DashboardOptions } from '../options.js';

const pathSchema = z.object({
  stream: z.enum(Object.keys(streams) as [string, ...string[]], 'expected the name of a stream'),
  group: z.string().min(1).max(200),
});

/** Who works through the streams of the bus. A group that nobody works for any more keeps its stream growing. */
@Controller('api/groups')
export class GroupsController {
  constructor(@Inject(OPTIONS) private readonly options: DashboardOptions) {}

  @Get()
  @Header('cache-control', 'no-store')
  async list(): Promise<GroupsAnswer> {
    const groups = this.options.bus.groups().map(async ({ stream, name, group, atWork }) => {
      const { messages, oldestTimeMs } = await group.depth();
      return { stream, name, messages, atWork, ...(oldestTimeMs !== undefined && { oldestMs: oldestTimeMs }) };
    });
    return { groups: await Promise.all(groups) };
  }

  @Delete(':stream/:group')
  @HttpCode(204)
  async remove(@Param() path: unknown): Promise<void> {
    const { stream, group } = parse(pathSchema, path, 'group');
    const known = this.options.bus.groups().find((each) => each.stream === stream && each.name === group);
    if (known?.atWork === true) {
      throw new StagewatchError(
        'INVALID_ARGUMENT',
        `The group ${group} of ${stream} is at work; only one that nobody uses can be removed.`,
        {
          field: 'group',
          value: group,
        },
      );
    }
    if (known === undefined || !(await this.options.bus.removeGroup(stream, group))) {
      throw new StagewatchError('NOT_FOUND', `${stream} has no group ${group}.`, { field: 'group', value: group });
    }
    this.options.logger.warn({ stream, group }, 'group removed');
  }
}
