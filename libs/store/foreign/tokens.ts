import { refusal } from './refusal.js';

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

/** The name that a word or a quoted word stands for; undefined for anything else. */
export function nameOf(token: Token | undefined): string | undefined {
  if (token?.kind === 'word') return token.text;
  if (token?.kind !== 'quoted') return undefined;
  return token.text
    .slice(1, -1)
    .replaceAll(/\\(.)|(["`])\2/gs, (_, escaped?: string, doubled?: string) => escaped ?? doubled ?? '');
}

/** The place of the bracket that closes the one at `open`; the length of the list when there is none. */
export function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.kind !== 'other') continue;
    if (/[([{]/.test(token.text)) depth++;
    if (/[)\]}]/.test(token.text) && --depth === 0) return i;
  }
  return tokens.length;
}

/** `name = value` of every SETTINGS clause, with the place of the clause. */
export interface SettingsClause {
  readonly at: number;
  readonly settings: readonly { readonly name: string; readonly value: string }[];
}

/** Throws for a clause that cannot be read to its end: what follows in it would go unchecked. */
export function settingsClauses(tokens: readonly Token[]): readonly SettingsClause[] {
  const clauses: SettingsClause[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i]!.kind !== 'word' || tokens[i]!.text !== 'SETTINGS') continue;
    const settings: { name: string; value: string }[] = [];
    let next = i + 1;
    do {
      const name = nameOf(tokens[next]);
      if (name === undefined || tokens[next + 1]?.text !== '=') throw unreadable();
      const { value, end } = literalAt(tokens, next + 2);
      settings.push({ name, value });
      next = end + 1;
    } while (tokens[next - 1]?.text === ',');
    const after = tokens[next - 1];
    if (after !== undefined && after.text !== ')' && after.kind !== 'word') throw unreadable();
    clauses.push({ at: tokens[i]!.at, settings });
    i = next - 2;
  }
  return clauses;
}

/** A value is a string, a number with a sign and a fraction at most, or a word such as `true`. */
function literalAt(tokens: readonly Token[], from: number): { readonly value: string; readonly end: number } {
  let end = from;
  while (tokens[end] !== undefined && (end === from || /^[-.]$/.test(tokens[end]!.text) || /^[-.]$/.test(tokens[end - 1]!.text)))
    end++;
  const value = tokens
    .slice(from, end)
    .map((token) => token.text)
    .join('');
  if (tokens[from]?.kind !== 'string' && !/^(-?[\p{L}\p{N}_]+(\.\p{N}+)?([eE]-\p{N}+)?)$/u.test(value)) throw unreadable();
  return { value, end };
}

function unreadable(): Error {
  return refusal('READONLY', 'A SETTINGS clause must be a list of name = literal');
}
