import { Inject, Injectable } from '@nestjs/common';
import type { DeadLetter, Group } from '#bus/bus.js';
import { StagewatchError } from '#runtime/errors.js';
import type { DeadLetterAnswer, DeadLetterBody, DeadLettersAnswer } from '../events/dead-letters.js';
import { OPTIONS, type DashboardOptions } from '../options.js';

export interface LetterPath {
  readonly stream: string;
  readonly group: string;
  readonly run: string;
  readonly position: number;
}

/** What the groups have set aside, of all runs. */
@Injectable()
export class DeadLettersService {
  constructor(@Inject(OPTIONS) private readonly options: DashboardOptions) {}

  async list(filter: { readonly run?: string; readonly group?: string; readonly limit: number }): Promise<DeadLettersAnswer> {
    const found: DeadLetterBody[] = [];
    let held = 0;
    for (const { stream, name, group } of this.options.bus.groups()) {
      held += await group.deadLetterCount();
      if (filter.group !== undefined && filter.group !== name) continue;
      for (const letter of await group.deadLetters()) {
        if (filter.run === undefined || filter.run === letter.message.subject) found.push(bodyOf(stream, name, letter));
      }
    }
    found.sort((a, b) => b.timeMs - a.timeMs || b.position - a.position);
    return { held, deadLetters: found.slice(0, filter.limit) };
  }

  async one(path: LetterPath): Promise<DeadLetterAnswer> {
    const letters = await this.group(path).deadLetters();
    const letter = letters.find(({ message }) => message.subject === path.run && message.position === path.position);
    if (letter === undefined) throw unknown(path);
    const { body } = letter.message;
    return { deadLetter: bodyOf(path.stream, path.group, letter), content: Buffer.from(body).toString('base64') };
  }

  async retry(path: LetterPath): Promise<void> {
    if (!(await this.group(path).retryDeadLetter(refOf(path)))) throw unknown(path);
    this.options.logger.info(path, 'a dead letter is tried again');
  }

  async drop(path: LetterPath): Promise<void> {
    if (!(await this.group(path).dropDeadLetter(refOf(path)))) throw unknown(path);
    this.options.logger.info(path, 'a dead letter was dropped');
  }

  private group(path: LetterPath): Group {
    const declared = this.options.bus.groups().find(({ stream, name }) => stream === path.stream && name === path.group);
    if (declared === undefined) throw unknown(path);
    return declared.group;
  }
}

const refOf = ({ run, position }: LetterPath): { readonly subject: string; readonly position: number } => ({
  subject: run,
  position,
});

const idOf = ({ stream, group, run, position }: LetterPath): string => `${stream}/${group}/${run}/${position}`;

function bodyOf(stream: string, group: string, { message, reason, timeMs }: DeadLetter): DeadLetterBody {
  const { subject: run, position, id, body, timeMs: receivedMs } = message;
  const path = { stream, group, run, position };
  return { id: idOf(path), ...path, reason, timeMs, receivedMs, message: id, bytes: body.byteLength };
}

function unknown(path: LetterPath): StagewatchError {
  return new StagewatchError('NOT_FOUND', 'There is no such dead letter; it may have been retried or dropped.', {
    field: 'id',
    value: idOf(path).slice(0, 200),
  });
}
