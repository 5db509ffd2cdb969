import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** Structured logs on standard error: standard output belongs to the commands. */
export function createLogger(options: { level?: string; name?: string } = {}): Logger {
  return pino(
    { level: options.level ?? 'info', base: options.name === undefined ? null : { name: options.name } },
    pino.destination({ dest: 2, sync: true }),
  );
}
