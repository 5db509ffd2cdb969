/**
 * The largest and the smallest of any number of values, as `Math.max` and `Math.min` are of few: spread into a call, a
 * hundred thousand numbers are more than the stack takes. NaN wins; of nothing it is −∞ and ∞, or what `start` says.
 */
export function largest(values: Iterable<number>, start = -Infinity): number {
  let most = start;
  for (const value of values) most = Math.max(most, value);
  return most;
}

export function smallest(values: Iterable<number>, start = Infinity): number {
  let least = start;
  for (const value of values) least = Math.min(least, value);
  return least;
}
