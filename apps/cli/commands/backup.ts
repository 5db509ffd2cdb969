import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { BackupLine } from '#dashboard/events/backup.js';
import { readConfig } from '#runtime/config.js';
import { clientOptions, ServiceClient } from '../client.js';
import { exitCodes, UsageError, type Command, type Io } from '../command.js';
import { DataFolderInUse, lockDataFolder } from '../data-folder-lock.js';
import { version } from '../version.js';

export const backupCommand: Command = {
  name: 'backup',
  usage: 'FOLDER [--data DIR] [--url URL]',
  summary: 'Copy bus, ClickHouse and blobs to an empty folder, at one position.',
  description: [
    'A service that runs on the data folder makes the copy itself and goes on; without one the folder is read directly.',
    "'stagewatch restore FOLDER --data DIR' makes a data folder of it.",
  ].join('\n'),
  options: {
    url: clientOptions.url,
    data: { type: 'string', value: 'DIR', help: 'Data folder (STAGEWATCH_DATA; default ./stagewatch-data).' },
  },
  maxPositionals: 1,
  async run({ flags, positionals, io }) {
    const [given] = positionals;
    if (given === undefined) throw new UsageError('where to? stagewatch backup FOLDER');
    const folder = resolve(given);
    const { dataDir } = readConfig({ STAGEWATCH_DATA: flags['data'] as string | undefined });
    if (typeof flags['url'] === 'string') return throughService(folder, flags['url'], io);
    if (!existsSync(dataDir)) throw new UsageError(`there is no data folder ${dataDir}; name it with --data`);
    let lock;
    try {
      lock = lockDataFolder(dataDir);
    } catch (error) {
      if (error instanceof DataFolderInUse) return throughService(folder, undefined, io);
      throw error;
    }
    try {
      await directly(dataDir, folder, io);
      return exitCodes.ok;
    } finally {
      lock.release();
    }
  },
};

async function throughService(folder: string, url: string | undefined, io: Io): Promise<number> {
  const response = await new ServiceClient(url).fetch('/api/backup', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ folder }),
  });
  const lines = createInterface({ input: Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]) });
  for await (const text of lines) {
    const line = JSON.parse(text) as BackupLine;
    if (line.kind === 'progress') io.err(`${line.text}\n`);
    else if (line.kind === 'failed') throw new Error(line.error.message);
    else {
      io.out(done(line));
      return exitCodes.ok;
    }
  }
  throw new Error('the service ended before the backup was complete');
}

async function directly(dataDir: string, folder: string, io: Io): Promise<void> {
  const { backupFolder } = await import('../backup-folder.js');
  const { files } = await backupFolder(dataDir, folder, version, (text) => io.err(`${text}\n`));
  io.out(done({ folder, files: files.length, bytes: files.reduce((sum, file) => sum + file.bytes, 0) }));
}

function done({ folder, files, bytes }: { folder: string; files: number; bytes: number }): string {
  return `${folder} holds the backup: ${files} files, ${(bytes / 1024 ** 2).toFixed(1)} MiB.\n`;
}
