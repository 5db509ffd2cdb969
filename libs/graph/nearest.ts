/** Levenshtein distance (insert, delete, replace each cost 1), ignoring case. */
export function editDistance(a: string, b: string): number {
  const from = a.toLowerCase();
  const to = b.toLowerCase();
  let previous = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const current = [i];
    for (let j = 1; j <= to.length; j++) {
      const replace = (previous[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      current.push(Math.min(replace, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}

/** Names from strangers may be long and many, and the distance takes time with the square of their length. */
const MAX_LENGTH = 200;
const MAX_KNOWN = 5000;

/** At most three of `known` that somebody may have meant by `name`: those that it is part of, and those a few letters away. */
export function nearest(name: string, known: readonly string[]): readonly string[] {
  if (name.length > MAX_LENGTH || known.length > MAX_KNOWN) return [];
  const lower = name.toLowerCase();
  const limit = Math.max(2, Math.floor(name.length / 3));
  const distance = (candidate: string): number => {
    const other = candidate.toLowerCase();
    const related = other.length >= 3 && lower.length >= 3 && (lower.includes(other) || other.includes(lower));
    return related ? Math.min(limit, editDistance(name, candidate)) : editDistance(name, candidate);
  };
  return known
    .filter((candidate) => candidate.length <= MAX_LENGTH)
    .map((candidate) => ({ candidate, distance: distance(candidate) }))
    .filter((entry) => entry.distance <= limit)
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map((entry) => entry.candidate);
}
