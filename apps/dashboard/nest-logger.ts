import type { LoggerService } from '@nestjs/common';
import type { Logger } from '#runtime/logging.js';

/** Nest speaks through the service's own log; its start-up chatter only at `debug`. */
export function nestLogger(logger: Logger): LoggerService {
  const at = (level: 'debug' | 'warn' | 'error') => (message: unknown) => {
    if (message instanceof Error) logger[level]({ err: message }, 'nest');
    else logger[level](String(message));
  };
  return { log: at('debug'), debug: at('debug'), verbose: at('debug'), warn: at('warn'), error: at('error'), fatal: at('error') };
}
