import type { FunctionRules } from './functions.js';
import { refusal } from './refusal.js';
import { closing, nameOf, type Token } from './tokens.js';

const maxTransformers = 64;

/**
 * `APPLY` is where the engine's syntax tree is blind: it shows that something is applied, and not what. So the names are
 * read here, and the lambdas are handed back as queries of their own, to be looked at like the whole.
 */
export interface Transformers {
  readonly count: number;
  /** Each lambda as `SELECT (lambda)`; what is nested in one is found again in it. */
  readonly hidden: readonly string[];
}

export function readTransformers(text: string, tokens: readonly Token[], functions: FunctionRules): Transformers {
  const hidden: string[] = [];
  let count = 0;
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'word' || token.text !== 'APPLY') continue;
    if (++count > maxTransformers) throw refusal('BAD_ARGUMENTS', `A query may have ${maxTransformers} APPLY`);
    const lambda = lambdaAt(tokens, i + 1);
    if (lambda === undefined) checkName(nameOf(tokens[tokens[i + 1]?.text === '(' ? i + 2 : i + 1]), functions);
    else hidden.push(`SELECT (${text.slice(tokens[i + 1]!.at, tokens[lambda.end]?.at ?? text.length)})`);
  }
  return { count, hidden };
}

/** A lambda in brackets or, as the formatter prints it, without; undefined where a name is applied. */
function lambdaAt(tokens: readonly Token[], from: number): { readonly end: number } | undefined {
  if (nameOf(tokens[from]) !== undefined && isArrow(tokens, from + 1)) return { end: unitEnd(tokens, from + 3) };
  if (tokens[from]?.text !== '(') return undefined;
  const inner = tokens[from + 1];
  const behind = tokens[from + 2]?.text ?? '';
  if (nameOf(inner) !== undefined && /^[,()]$/.test(behind)) return undefined;
  return { end: unitEnd(tokens, from) };
}

function isArrow(tokens: readonly Token[], at: number): boolean {
  return tokens[at]?.text === '-' && tokens[at + 1]?.text === '>';
}

/** What may stand behind a transformer. */
const follows =
  /^(,|\)|AS|APPLY|EXCEPT|REPLACE|FROM|PREWHERE|WHERE|GROUP|HAVING|WINDOW|QUALIFY|ORDER|LIMIT|OFFSET|FETCH|UNION|INTERSECT|SETTINGS|FORMAT)$/;

/**
 * Behind the body of a lambda that stands without brackets. The formatter puts operators in brackets, so a body is one
 * name, literal or bracket with what is called or taken of it; throws for one that is more, as its end is not sure.
 */
function unitEnd(tokens: readonly Token[], from: number): number {
  let end = tokens[from]?.text === '-' ? from + 1 : from;
  const opens = (at: number): boolean => /^[([]$/.test(tokens[at]?.text ?? '');
  end = opens(end) ? closing(tokens, end) + 1 : end + 1;
  while (opens(end) || tokens[end]?.text === '.') end = opens(end) ? closing(tokens, end) + 1 : end + 2;
  const next = tokens[end];
  if (next === undefined || (follows.test(next.text) && next.kind !== 'string')) return Math.min(end, tokens.length);
  throw refusal(
    'ACCESS_DENIED',
    'The lambda of this APPLY cannot be read; put its body in a function, or write the query without',
  );
}

function checkName(name: string | undefined, functions: FunctionRules): void {
  if (name !== undefined && functions.allows(name)) return;
  throw refusal('ACCESS_DENIED', `APPLY of ${(name ?? 'that').slice(0, 100)} is not available through this read-only interface`);
}
