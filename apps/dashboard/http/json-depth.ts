import type { IncomingMessage, ServerResponse } from 'node:http';
import { StagewatchError } from '#runtime/errors.js';

/** What this interface takes is two or three deep; whoever walks a body by recursion is safe below this. */
const maxDepth = 32;

/** Refuses bodies nested without end, before anybody reads them. */
export function boundDepth(request: IncomingMessage, _: ServerResponse, next: () => void): void {
  const { body } = request as IncomingMessage & { readonly body?: unknown };
  let level: readonly unknown[] = [body];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) {
      throw new StagewatchError('MALFORMED_MESSAGE', `The body is nested deeper than ${maxDepth}.`, { field: 'body' });
    }
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? (Object.values(value) as unknown[]) : []));
  }
  next();
}
