import type { Readable } from 'node:stream';

/**
 * Messages of a call, with back-pressure, until the client has no more, goes away, or the call was refused. Unlike the
 * iterator of the stream itself it never destroys the call: its status may still be on its way out.
 */
export async function* messagesOf<T>(call: Readable & AsyncIterable<T>): AsyncGenerator<T> {
  let state: 'open' | 'ended' | 'broken' = 'open';
  let wake = (): void => undefined;
  const changed = (): void => wake();
  const ended = (): void => {
    if (state === 'open') state = 'ended';
    wake();
  };
  const broken = (): void => {
    state = 'broken';
    wake();
  };
  const isBroken = (): boolean => state === 'broken' || call.destroyed;
  const endings = ['close', 'error', 'cancelled'] as const;
  for (const event of endings) call.on(event, broken);
  call.on('end', ended);
  call.on('readable', changed);
  try {
    while (!isBroken()) {
      const message = call.read() as T | null;
      if (message !== null) yield message;
      else if (state !== 'open') return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    for (const event of endings) call.off(event, broken);
    call.off('end', ended);
    call.off('readable', changed);
  }
}
