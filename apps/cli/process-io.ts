import type { Io } from './command.js';
import { exitCodes } from './command.js';

/**
 * Ends at once, as by a Ctrl-C that nobody hears (130 to a shell). `process.exit` would run what native modules do at
 * an exit while their threads still work, which now and then ends in a crash or not at all.
 */
function force(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
  process.exit(exitCodes.interrupted);
}

/**
 * The process as a place to read and write. The first Ctrl-C asks for a clean end (everything durable), the second
 * forces it.
 */
export function processIo(): { readonly io: Io; readonly finish: (code: number) => void } {
  const stopping = new AbortController();
  const onSignal = (): void => {
    if (stopping.signal.aborted) force();
    process.stderr.write('\nStopping; press Ctrl-C again to force.\n');
    stopping.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // `stagewatch findings … | head` closes the pipe: that ends the command, it is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.ok);
    throw error;
  });
  return {
    io: {
      stdin: process.stdin,
      out: (text) => void process.stdout.write(text),
      err: (text) => void process.stderr.write(text),
      signal: stopping.signal,
    },
    finish: (code) => {
      process.exitCode = code;
      // A native module may still hold a handle; what had to be durable is by now.
      process.stdout.write('', () => process.exit(code));
    },
  };
}
