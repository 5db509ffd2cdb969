import type { ParseArgsConfig } from 'node:util';
import { parseArgs } from 'node:util';
import { largest } from '#math/extremes.js';

export type OptionSpec = {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** Shown in the help: `DIR`, `N`. */
  readonly value?: string;
  readonly help: string;
};

export interface Invocation {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
  readonly io: Io;
}

/** Where a command reads and writes: the process, or a test. */
export interface Io {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  out(text: string): void;
  err(text: string): void;
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly summary: string;
  readonly description?: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly maxPositionals: number;
  /** Answers the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** The caller's fault on the command line: message on standard error, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

const helpOption: OptionSpec = { type: 'boolean', short: 'h', help: 'Show this help.' };

export function parseInvocation(command: Command, args: readonly string[], io: Io): Invocation | 'help' {
  const options = Object.fromEntries(
    Object.entries({ ...command.options, help: helpOption }).map(([name, { type, short }]) => [
      name,
      short === undefined ? { type } : { type, short },
    ]),
  );
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true } satisfies ParseArgsConfig);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const flags = parsed.values as Record<string, string | boolean | undefined>;
  if (flags['help'] === true) return 'help';
  if (parsed.positionals.length > command.maxPositionals) {
    throw new UsageError(`unexpected argument '${parsed.positionals[command.maxPositionals]}'`);
  }
  return { flags, positionals: parsed.positionals, io };
}

export function helpText(command: Command): string {
  const rows = Object.entries({ ...command.options, help: helpOption }).map(([name, option]) => [
    `  ${option.short === undefined ? '    ' : `-${option.short}, `}--${name}${option.value === undefined ? '' : ` ${option.value}`}`,
    option.help,
  ]);
  const width = largest(rows.map(([left]) => left!.length)) + 2;
  return [
    `Usage: stagewatch ${command.name} ${command.usage}`.trimEnd(),
    '',
    command.summary,
    ...(command.description === undefined ? [] : ['', command.description]),
    '',
    'Options:',
    ...rows.map(([left, right]) => left!.padEnd(width) + right),
    '',
  ].join('\n');
}
