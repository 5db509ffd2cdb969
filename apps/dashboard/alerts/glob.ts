/** `*` stands for any characters, `?` for one; everything else for itself. */
export function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  // Where the last `*` stood, and how far it has eaten: going back there is enough, and never takes exponential time.
  let star = -1;
  let eaten = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      eaten = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++eaten;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
