/** Numbers as people read them in a sentence: three significant digits. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6))
    return value
      .toExponential(2)
      .replace(/\.?0+e/, 'e')
      .replace('e+', 'e');
  return String(Number(value.toPrecision(size >= 100 && size < 1e6 ? Math.max(3, Math.floor(Math.log10(size)) + 1) : 3)));
}

/** A ratio beside a threshold: two decimals. */
export function ratio(value: number): string {
  return Number.isFinite(value) && Math.abs(value) < 1000 ? value.toFixed(2) : number(value);
}

export function count(value: number, singular: string, plural = `${singular}s`): string {
  return `${value} ${value === 1 ? singular : plural}`;
}
