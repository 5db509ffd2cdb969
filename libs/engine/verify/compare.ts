/**
 * The largest difference, relative to the largest finite number that is expected. Numbers that are not finite must be the
 * same ones at the same places: where they are not, the difference is infinite.
 */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let scale = smallest;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i]!, expected[i]!];
    if (Number.isFinite(b)) scale = Math.max(scale, Math.abs(b));
    if (Object.is(a, b) || a === b) continue;
    worst = Math.max(worst, Number.isFinite(a) && Number.isFinite(b) ? Math.abs(a - b) : Number.POSITIVE_INFINITY);
  }
  return worst / scale;
}

/** Where everything that is expected is about zero, rounding is no error. */
const smallest = 1e-3;
