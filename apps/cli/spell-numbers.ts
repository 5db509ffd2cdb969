import { toJsonNumber } from '#math/json-number.js';

/** For `JSON.stringify`: NaN and infinities are data. */
export function spellNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? toJsonNumber(value) : value;
}
