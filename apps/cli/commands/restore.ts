import { resolve } from 'node:path';
import { readConfig } from '#runtime/config.js';
import { exitCodes, UsageError, type Command } from '../command.js';

export const restoreCommand: Command = {
  name: 'restore',
  usage: 'FOLDER --data DIR',
  summary: 'Make a data folder out of a backup.',
  description: 'Compares every file with its checksum first. The data folder must be empty, or not exist.',
  options: { data: { type: 'string', value: 'DIR', help: 'Data folder (STAGEWATCH_DATA; default ./stagewatch-data).' } },
  maxPositionals: 1,
  async run({ flags, positionals, io }) {
    const [given] = positionals;
    if (given === undefined) throw new UsageError('from where? stagewatch restore FOLDER --data DIR');
    const { dataDir } = readConfig({ STAGEWATCH_DATA: flags['data'] as string | undefined });
    const { restore } = await import('../restore.js');
    await restore(resolve(given), dataDir, (text) => io.err(`${text}\n`));
    io.out(`${dataDir} is restored; 'stagewatch up --data ${dataDir}' goes on from it.\n`);
    return exitCodes.ok;
  },
};
