import type { DeadLetterAnswer, DeadLetterBody, DeadLettersAnswer } from '#dashboard/events/dead-letters.js';
import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, UsageError, type Command, type Invocation, type Io } from '../command.js';
import { spellNumbers } from '../spell-numbers.js';
import { ago, table } from '../table.js';

const actions = ['list', 'show', 'retry', 'drop'] as const;
const maxLetters = 1000;

export const deadLettersCommand: Command = {
  name: 'dead-letters',
  usage: 'list|show|retry|drop [ID] [--run RUN] [--group GROUP]',
  summary: 'What the service has set aside: records that it could not work on.',
  description: [
    'list   what is set aside, the newest first',
    'show   one of them, with what it holds; ID as the list has it',
    'retry  work on one, or on all of a run or group, once more; what fails again is set aside again',
    'drop   forget one, or all of a run or group, for good',
  ].join('\n'),
  options: {
    ...clientOptions,
    run: { type: 'string', value: 'RUN', help: 'Only those of a run.' },
    group: { type: 'string', value: 'GROUP', help: 'Only those of a group: ledger, judge, alerts.' },
  },
  maxPositionals: 2,
  async run(invocation) {
    const { flags, positionals, io } = invocation;
    const action = actions.find((name) => name === (positionals[0] ?? 'list'));
    if (action === undefined) throw new UsageError(`list, show, retry or drop, not '${positionals[0]}'`);
    const client = new ServiceClient(flags['url'] as string | undefined);
    if (action === 'list') return list(client, invocation);
    if (action === 'show') return show(client, invocation);
    const ids = await chosen(client, invocation);
    for (const id of ids) {
      if (action === 'retry') await client.fetch(`${pathOf(id)}/retry`, { method: 'POST' });
      else await client.fetch(pathOf(id), { method: 'DELETE' });
      if (flags['json'] === true) io.out(`${JSON.stringify({ id, action })}\n`);
    }
    if (flags['json'] !== true) io.out(`${ids.length} ${action === 'retry' ? 'go through their group once more' : 'dropped'}.\n`);
    return exitCodes.ok;
  },
};

async function list(client: ServiceClient, { flags, positionals, io }: Invocation): Promise<number> {
  if (positionals.length > 1) throw new UsageError(`unexpected argument '${positionals[1]}'`);
  const { deadLetters } = await ask(client, flags);
  if (flags['json'] === true) io.out(`${JSON.stringify(deadLetters)}\n`);
  else if (deadLetters.length === 0) io.out('Nothing is set aside.\n');
  else printList(io, deadLetters);
  return exitCodes.ok;
}

function printList(io: Io, letters: readonly DeadLetterBody[]): void {
  const rows = letters.map((letter) => [letter.id, ago(letter.timeMs), `${letter.bytes} B`, letter.reason]);
  io.out(table([['id', 'set aside', 'size', 'reason'], ...rows]));
}

async function show(client: ServiceClient, { flags, positionals, io }: Invocation): Promise<number> {
  const id = positionals[1];
  if (id === undefined) throw new UsageError("which one? 'stagewatch dead-letters list' has the ids");
  const { deadLetter, content } = await client.get<DeadLetterAnswer>(pathOf(id));
  const { describeRecord } = await import('#analyzer/describe-record.js');
  const record = describeRecord(Buffer.from(content, 'base64'));
  if (flags['json'] === true) io.out(`${JSON.stringify({ ...deadLetter, record, content }, spellNumbers)}\n`);
  else {
    const { reason, run, group, message, bytes, timeMs, receivedMs } = deadLetter;
    io.out(
      table([
        ['id', id],
        ['run', run],
        ['set aside by', group],
        ['because', reason],
        ['when', `${new Date(timeMs).toISOString()} (received ${new Date(receivedMs).toISOString()})`],
        ['message', `${message}, ${bytes} bytes`],
        ['holds', record],
      ]),
    );
  }
  return exitCodes.ok;
}

/** One by its id, or all that the flags select: never all there are by a slip. */
async function chosen(client: ServiceClient, { flags, positionals }: Invocation): Promise<readonly string[]> {
  const id = positionals[1];
  const selects = flags['run'] !== undefined || flags['group'] !== undefined;
  if (id === undefined && !selects) throw new UsageError('which ones? an ID of the list, --run RUN or --group GROUP');
  if (id !== undefined && selects) throw new UsageError('either an ID, or --run and --group');
  return id === undefined ? (await ask(client, flags)).deadLetters.map((letter) => letter.id) : [id];
}

function ask(client: ServiceClient, flags: Invocation['flags']): Promise<DeadLettersAnswer> {
  const query = new URLSearchParams({ limit: String(maxLetters) });
  for (const name of ['run', 'group']) if (typeof flags[name] === 'string') query.set(name, flags[name]);
  return client.get(`/api/dead-letters?${query.toString()}`);
}

function pathOf(id: string): string {
  const parts = id.split('/');
  if (parts.length !== 4) throw new UsageError(`'${id}' is no id of a dead letter: STREAM/GROUP/RUN/POSITION`);
  return `/api/dead-letters/${parts.map(encodeURIComponent).join('/')}`;
}
