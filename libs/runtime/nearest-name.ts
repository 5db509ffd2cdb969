/** The name of the list that needs the fewest changes of letters; lower case and without what joins words. Undefined for no list. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const distances = names.map((name) => ({ name, distance: editDistance(plain(given), plain(name)) }));
  return distances.sort((a, b) => a.distance - b.distance)[0]?.name;
}

/** Levenshtein 1966: insertions, deletions and replacements of single letters, row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
