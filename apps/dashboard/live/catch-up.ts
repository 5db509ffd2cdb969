import { decodeJson, type LiveBody } from '#bus/messages.js';
import type { Bus } from '#bus/bus.js';
import { stopSignal } from '#runtime/stop-signal.js';
import { DeltaBuffer, type FrameContent } from './delta-buffer.js';
import { maxFrameItems } from './topic.js';

/** Messages of all runs that are read again for one client; who is further behind asks for the history. */
const maxMessages = 20_000;
const maxMs = 10_000;

export interface CatchUp {
  readonly bus: Bus;
  readonly run: string | undefined;
  readonly cursor: number;
  /** Where the hub is; it moves on meanwhile. */
  readonly target: () => number;
  readonly signal: AbortSignal;
  readonly ended: () => boolean;
  /** Called in the same turn in which the hub's position was reached, so nothing can fall between. */
  readonly arrived: (missed: { readonly position: number; readonly content: FrameContent; readonly items: number }) => void;
}

/** Reads what a client has missed since its cursor. False when that is too much, or no longer there. */
export async function catchUp(options: CatchUp): Promise<boolean> {
  const { run, cursor, target } = options;
  if (target() - cursor > maxMessages) return false;
  const buffer = new DeltaBuffer(run === undefined);
  const stop = stopSignal([options.signal], maxMs);
  try {
    return await readOn(options, buffer, stop.signal);
  } finally {
    stop.end();
  }
}

async function readOn(
  { bus, run, cursor, target, ended, arrived }: CatchUp,
  buffer: DeltaBuffer,
  signal: AbortSignal,
): Promise<boolean> {
  for await (const message of bus.tail('live', { after: cursor, signal })) {
    if (ended()) return true;
    if (run === undefined || message.subject === run) buffer.add(message.subject, decodeJson<LiveBody>(message.body));
    if (buffer.items > maxFrameItems) return false;
    if (message.position < target()) continue;
    if ((await bus.floor('live')) > cursor) return false;
    if (message.position < target()) continue;
    const items = buffer.items;
    arrived({ position: target(), content: buffer.drain() ?? {}, items });
    return true;
  }
  return false;
}
