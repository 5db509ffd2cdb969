import type { z } from 'zod';
import { StagewatchError } from '#runtime/errors.js';

const maxShownCharacters = 120;

/** What a caller sent, in the shape that was asked for; otherwise an error that names the field, the value and what was expected. */
export function parse<S extends z.ZodType>(schema: S, value: unknown, place: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue?.path.map(String) ?? [];
  const field = [place, ...path].join('.');
  const expected = issue?.message ?? 'another value';
  throw new StagewatchError('INVALID_ARGUMENT', `${field}: ${expected}`, { field, value: shown(at(value, path)), expected });
}

function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const step of path)
    found = typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[step] : undefined;
  return found;
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > maxShownCharacters ? `${text.slice(0, maxShownCharacters)}…` : text;
}
