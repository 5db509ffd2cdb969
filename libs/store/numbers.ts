import { StagewatchError } from '#runtime/errors.js';

/** NaN and the infinities travel as strings in both directions: as JSON numbers the engine stores 0 for them. */
export function jsonFloat(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : String(value);
  if (Number.isNaN(value)) return '"nan"';
  return value > 0 ? '"inf"' : '"-inf"';
}

export function readFloat(value: unknown): number {
  if (typeof value === 'number') return value;
  if (value === 'inf') return Number.POSITIVE_INFINITY;
  if (value === '-inf') return Number.NEGATIVE_INFINITY;
  return value === 'nan' || value === '-nan' || value === null ? Number.NaN : Number(value);
}

/** Refuses here what the engine would otherwise wrap around or refuse for a whole batch. */
export function jsonUnsigned(field: string, value: number, max: number = Number.MAX_SAFE_INTEGER): string {
  if (Number.isInteger(value) && value >= 0 && value <= max) return String(value);
  throw new StagewatchError('INVALID_ARGUMENT', `${field} must be a whole number`, {
    field,
    value: String(value),
    expected: `0 … ${max}`,
  });
}

/** DateTime64(3, 'UTC') between 1970 and 2299 as text; clocks outside are clamped, not refused. */
const lastMs = Date.UTC(2299, 11, 31, 23, 59, 59, 999);
let cachedMs = Number.NaN;
let cachedText = '';

export function jsonTime(ms: number): string {
  const clamped = Number.isFinite(ms) ? Math.min(Math.max(Math.trunc(ms), 0), lastMs) : 0;
  // Rows of one record share their time, and formatting it is the dearest part of a row.
  if (clamped !== cachedMs) {
    cachedMs = clamped;
    cachedText = `"${new Date(clamped).toISOString().slice(0, 23).replace('T', ' ')}"`;
  }
  return cachedText;
}
