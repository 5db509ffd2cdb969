/** Numbers in JSON, where NaN and the infinities are data: they travel as the strings `nan`, `inf` and `-inf`. */
export type JsonNumber = number | 'nan' | 'inf' | '-inf';

export function toJsonNumber(value: number): JsonNumber {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}

/** Undefined for anything that is not a number in this form. */
export function fromJsonNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (value === 'nan') return Number.NaN;
  if (value === 'inf') return Number.POSITIVE_INFINITY;
  if (value === '-inf') return Number.NEGATIVE_INFINITY;
  return undefined;
}
