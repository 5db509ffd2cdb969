/**
 * Tokens of a query as the engine's formatter prints it: comments are gone, keywords are upper case, strings and quoted
 * names escape with backslashes.
 */
export interface Token {
  readonly kind: 'word' | 'string' | 'quoted' | 'other';
  readonly text: string;
  /** Where it begins in the query. */
  readonly at: number;
}

const pattern = /('(?:[^'\\]|\\.|'')*')|(`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")|([\p{L}\p{N}_$]+)|\S/gsu;

export function tokenize(sql: string): readonly Token[] {
  return Array.from(sql.matchAll(pattern), (match) => ({
    kind: match[1] !== undefined ? 'string' : match[2] !== undefined ? 'quoted' : match[3] !== undefined ? 'word' : 'other',
    text: match[0],
    at: match.index,
  }));
}

/** `name = value` of every SETTINGS clause, with the place of the clause; undefined when one cannot be read. */
export interface SettingsClause {
  readonly at: number;
  readonly settings: readonly { readonly name: string; readonly value: string }[];
}

export function settingsClauses(tokens: readonly Token[]): readonly SettingsClause[] {
  const clauses: SettingsClause[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i]?.text !== 'SETTINGS' || tokens[i + 1]?.kind !== 'word' || tokens[i + 2]?.text !== '=') continue;
    const settings: { name: string; value: string }[] = [];
    let next = i + 1;
    while (tokens[next]?.kind === 'word' && tokens[next + 1]?.text === '=') {
      const name = tokens[next]!.text;
      next += 2;
      // A value is a literal, with a sign or a fraction at most; what follows is a comma, or the end of the clause.
      const from = next;
      while (
        tokens[next] !== undefined &&
        (next === from || /^[-.]$/.test(tokens[next]!.text) || /^[-.]$/.test(tokens[next - 1]!.text))
      )
        next++;
      settings.push({
        name,
        value: tokens
          .slice(from, next)
          .map((t) => t.text)
          .join(''),
      });
      if (tokens[next]?.text !== ',') break;
      next++;
    }
    clauses.push({ at: tokens[i]!.at, settings });
  }
  return clauses;
}
