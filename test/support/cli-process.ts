import { spawn } from 'node:child_process';
import { cliPath } from './service-process.js';

export interface CliResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A command as a person would type it, in a process of its own. */
export function cli(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string; readonly interruptAfter?: RegExp } = {},
): Promise<CliResult> {
  const child = spawn(process.execPath, [cliPath, ...args], { env: { ...process.env, ...options.env } });
  let out = '';
  let err = '';
  let interrupted = false;
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (interrupted || options.interruptAfter?.test(out) !== true) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}
