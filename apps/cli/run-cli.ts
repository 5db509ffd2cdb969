import { backupCommand } from './commands/backup.js';
import { deadLettersCommand } from './commands/dead-letters.js';
import { deleteCommand } from './commands/delete.js';
import { demoCommand } from './commands/demo.js';
import { doctorCommand } from './commands/doctor.js';
import { findingsCommand } from './commands/findings.js';
import { groupsCommand } from './commands/groups.js';
import { judgeCommand } from './commands/judge.js';
import { measureCommand } from './commands/measure.js';
import { restoreCommand } from './commands/restore.js';
import { runsCommand } from './commands/runs.js';
import { setupCommand } from './commands/setup.js';
import { showCommand } from './commands/show.js';
import { sqlCommand } from './commands/sql.js';
import { upCommand } from './commands/up.js';
import type { Command, Io } from './command.js';
import { exitCodes, helpText, parseInvocation, UsageError } from './command.js';
import { version } from './version.js';
import { largest } from '#math/extremes.js';

export const commands: readonly Command[] = [
  upCommand,
  demoCommand,
  doctorCommand,
  setupCommand,
  measureCommand,
  judgeCommand,
  runsCommand,
  showCommand,
  findingsCommand,
  sqlCommand,
  deadLettersCommand,
  groupsCommand,
  deleteCommand,
  backupCommand,
  restoreCommand,
];

export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    const topic = name === 'help' ? commands.find((command) => command.name === rest[0]) : undefined;
    io.out(topic === undefined ? overview() : helpText(topic));
    return name === undefined ? exitCodes.usage : exitCodes.ok;
  }
  if (name === '--version' || name === '-V') {
    io.out(`stagewatch ${version}\n`);
    return exitCodes.ok;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    io.err(`stagewatch: '${name}' is not a command; see 'stagewatch help'.\n`);
    return exitCodes.usage;
  }
  try {
    const invocation = parseInvocation(command, rest, io);
    if (invocation === 'help') {
      io.out(helpText(command));
      return exitCodes.ok;
    }
    return await command.run(invocation);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`stagewatch ${command.name}: ${error.message}\nSee 'stagewatch ${command.name} --help'.\n`);
      return exitCodes.usage;
    }
    io.err(`stagewatch ${command.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCodes.failed;
  }
}

function overview(): string {
  const width = largest(commands.map((command) => command.name.length)) + 3;
  return [
    `stagewatch ${version}: watches training runs, measures their curvature, says which stage they are in.`,
    '',
    'Usage: stagewatch COMMAND [OPTIONS]',
    '',
    ...commands.map((command) => `  ${command.name.padEnd(width)}${command.summary}`),
    '',
    `'stagewatch COMMAND --help' tells more about each.`,
    '',
  ].join('\n');
}
