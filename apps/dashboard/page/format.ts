/** Four significant digits, short everywhere. */
export function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+∞' : '−∞';
  const size = Math.abs(value);
  const text = size !== 0 && (size >= 1e6 || size < 1e-4) ? value.toExponential(3) : Number(value.toPrecision(4)).toString();
  return text.replace('e+', 'e').replaceAll('-', '−');
}

/** For the axis of steps: 950, 12k, 1.5M. */
export function formatStep(step: number): string {
  if (step >= 1e6) return `${trim(step / 1e6)}M`;
  return step >= 10_000 ? `${trim(step / 1e3)}k` : String(Math.round(step * 100) / 100);
}

/** Whole, with thin spaces between thousands. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u2009');
}

export function formatAgo(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 5) return 'now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

const trim = (value: number): string => String(Number(value.toPrecision(4)));
