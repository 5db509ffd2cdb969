import type { Message } from '#bus/bus.js';
import { decodeEnvelope } from '#wire/envelope.js';
import type { Envelope } from '#wire/generated/messages.js';

/** A message that can never be understood: it becomes a dead letter at once. */
export class Poison extends Error {
  override readonly name = 'Poison';

  constructor(
    readonly position: number,
    message: string,
    cause: unknown,
  ) {
    super(message, { cause });
  }
}

export function decode({ body, position }: Message): Envelope {
  try {
    return decodeEnvelope(body);
  } catch (error) {
    throw new Poison(position, `not an envelope: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}
