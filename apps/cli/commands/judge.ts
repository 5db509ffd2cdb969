import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { judgeLines } from '#analyzer/judge-lines.js';
import { spellNumbers } from '../spell-numbers.js';
import { exitCodes, UsageError, type Command, type Io } from '../command.js';

export const judgeCommand: Command = {
  name: 'judge',
  usage: '[FILE]',
  summary: 'Readings as JSON lines in, findings as JSON lines out, as soon as each is known.',
  description: [
    'The first line describes the run, each other line one step:',
    '  {"run":{"loss":"mse","optimizer":{"name":"sgd","momentum":0.9},"batch":"full"}}',
    '  {"step":0,"readings":{"loss.train":1.31,"lr":0.05,"sharpness":6.2}}',
    'NaN and infinities are the strings "nan", "inf" and "-inf". Without FILE, or with -, it reads standard input.',
    'A line that is not understood is named by its number; the lines before it have been judged, and the exit code is 2.',
  ].join('\n'),
  options: {},
  maxPositionals: 1,
  async run({ positionals, io }) {
    for await (const judged of judgeLines(await lines(positionals[0] ?? '-', io))) {
      if (judged.kind === 'error') {
        io.err(`stagewatch judge: line ${judged.line}: ${judged.message}\n`);
        return exitCodes.usage;
      }
      io.out(`${JSON.stringify(judged.finding, spellNumbers)}\n`);
    }
    return exitCodes.ok;
  },
};

async function lines(path: string, io: Io): Promise<AsyncIterable<string>> {
  if (path === '-') return createInterface({ input: Readable.from(io.stdin), crlfDelay: Infinity });
  try {
    const file = await open(path);
    return createInterface({ input: file.createReadStream({ encoding: 'utf8' }), crlfDelay: Infinity });
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
