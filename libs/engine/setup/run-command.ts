import { spawn } from 'node:child_process';
import { StagewatchError } from '#runtime/errors.js';

export interface CommandOptions {
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface CommandResult {
  readonly ok: boolean;
  readonly out: string;
  /** The last lines of what it said on both, for an error. */
  readonly tail: string;
}

const keptChars = 64 * 1024;
const shownLines = 4;

/** Runs a program to its end. That it fails, or is not there, is an answer. */
export function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve) => {
    let out = '';
    let all = '';
    const child = spawn(command, args, { cwd: options.cwd, signal: options.signal, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk: Buffer) => {
      out = (out + String(chunk)).slice(-keptChars);
      all = (all + String(chunk)).slice(-keptChars);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      all = (all + String(chunk)).slice(-keptChars);
    });
    child.on('error', (error) => resolve({ ok: false, out, tail: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, out, tail: lastLines(all) }));
  });
}

function lastLines(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('npm warn'));
  return lines.slice(-shownLines).join('\n');
}

/** A thing that is missing or fails while an executor is set up; the message says what to do. */
export const setupProblem = (message: string): StagewatchError => new StagewatchError('EXECUTOR_UNAVAILABLE', message);
