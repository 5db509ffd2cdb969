import type { FunctionRules } from './functions.js';
import { refusal } from './refusal.js';
import { checkTable, systemTables } from './served.js';

/** One line of `EXPLAIN AST`: the indentation is the depth. */
interface Node {
  readonly depth: number;
  readonly text: string;
}

/**
 * Table functions that make rows out of nothing or out of a subquery; all others reach outside. Those that take the
 * structure of a table as text (`format`, `values`, `generateRandom`, `null`) are not among them: a column in that text may
 * have a default, which is an expression that no tree shows.
 */
const harmlessTableFunctions: ReadonlySet<string> = new Set(
  'numbers numbers_mt zeros zeros_mt generateseries generate_series primes sqlstandardvalues view'.split(' '),
);

/** Every kind of node that a query for reading is made of. One that is not known may hide what it holds. */
const knownNodes: ReadonlySet<string> = new Set(
  (
    'ArrayJoin Asterisk ColumnsApplyTransformer ColumnsExceptTransformer ColumnsListMatcher ColumnsRegexpMatcher ' +
    'ColumnsReplaceTransformer ColumnsReplaceTransformer::Replacement ColumnsTransformerList DataType ExpressionList ' +
    'Function Identifier InterpolateElement Literal NameTypePair OrderByElement QualifiedAsterisk ' +
    'QualifiedColumnsListMatcher QualifiedColumnsRegexpMatcher QueryParameter SampleRatio SelectIntersectExceptQuery ' +
    'SelectQuery SelectWithUnionQuery Set Subquery TableExpression TableIdentifier TableJoin TablesInSelectQuery ' +
    'TablesInSelectQueryElement WindowDefinition WindowListElement WithElement'
  ).split(' '),
);

const selects = /^(SelectWithUnionQuery|SelectQuery|SelectIntersectExceptQuery)\b/;

/** Functions whose right side is a table, though the tree calls it an identifier or a function. */
const membership = /^(global)?(not)?(null)?in(ignoreset)?$/;

export interface TreeRules {
  /** All table functions of the engine, lower case. */
  readonly tableFunctions: ReadonlySet<string>;
  readonly functions: FunctionRules;
  readonly databases: ReadonlySet<string>;
  /** Where an unqualified table lies. */
  readonly database: string;
}

export interface CheckedTree {
  /** What the tree does not show. */
  readonly hiddenParts: number;
  /** What stands before a dot where a table may stand: that name is a column of a table, or a table of a database. */
  readonly ambiguous: readonly string[];
}

/** Throws when the tree is of a statement that does more than read the tables it may read. */
export function checkTree(tree: string, rules: TreeRules): CheckedTree {
  const nodes = tree
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(toNode);
  checkStatement(nodes);
  const path: Place[] = [];
  const ambiguous = new Set<string>();
  for (const node of nodes) {
    const before = path[node.depth];
    path.length = node.depth;
    path.push({ node, index: before === undefined ? 0 : before.index + 1 });
    for (const prefix of checkNode(path, rules)) if (!rules.databases.has(prefix)) ambiguous.add(prefix);
  }
  const hiddenParts = nodes.filter((node) => node.text.startsWith('ColumnsApplyTransformer')).length;
  return { hiddenParts, ambiguous: [...ambiguous] };
}

/** A node with its place among its siblings. */
interface Place {
  readonly node: Node;
  readonly index: number;
}

function toNode(line: string): Node {
  const text = line.trimStart();
  return { depth: line.length - text.length, text };
}

function checkStatement(nodes: readonly Node[]): void {
  const top = nodes[0]?.text ?? '';
  const explained = nodes.filter((node) => node.depth === 1 && !/^(Set|Identifier)\b/.test(node.text));
  const isRead = top.startsWith('Explain ')
    ? explained.length > 0 && explained.every((node) => node.text.startsWith('SelectWithUnionQuery'))
    : selects.test(top);
  if (!isRead) throw refusal('READONLY', 'Only SELECT, SHOW, DESCRIBE, EXISTS and EXPLAIN SELECT are answered here');
}

/** Answers every part that ends before a dot of a name that may be that of a table. */
function checkNode(path: readonly Place[], rules: TreeRules): readonly string[] {
  const { text, depth } = path.at(-1)!.node;
  const kind = /^\S+/.exec(text)?.[0] ?? '';
  if (!knownNodes.has(kind) && !(depth === 0 && kind === 'Explain')) {
    throw refusal('ACCESS_DENIED', `'${kind.slice(0, 60)}' is not understood by this read-only interface`);
  }
  const inTablePlace = path.at(-2)?.node.text.startsWith('TableExpression') === true || isRightOfIn(path);
  const called = /^Function (\S+)/.exec(text)?.[1];
  if (called !== undefined) checkFunction(called, inTablePlace, rules);
  const table = /^TableIdentifier (.*?)(?: \(alias .*\))?$/s.exec(text)?.[1];
  if (table !== undefined) checkTable(table, rules);
  const name = /^Identifier (.*?)(?: \(alias .*\))?$/s.exec(text)?.[1];
  if (name === undefined) return [];
  checkName(name, rules);
  if (!inTablePlace) return [];
  if (!name.includes('.')) checkTable(name, rules);
  return Array.from(name.matchAll(/\./g), ({ index }) => name.slice(0, index));
}

function isRightOfIn(path: readonly Place[]): boolean {
  const caller = /^Function (\S+)/.exec(path.at(-3)?.node.text ?? '')?.[1];
  return caller !== undefined && membership.test(caller.toLowerCase()) && path.at(-1)!.index === 1;
}

function checkFunction(name: string, isTable: boolean, { tableFunctions, functions }: TreeRules): void {
  const lower = name.toLowerCase();
  if (isTable && tableFunctions.has(lower)) {
    if (harmlessTableFunctions.has(lower)) return;
  } else if (functions.allows(name)) {
    return;
  } else if (!functions.refuses(name) && !tableFunctions.has(lower)) {
    throw refusal('UNKNOWN_FUNCTION', `Unknown function '${name.slice(0, 100)}'`);
  }
  throw refusal('ACCESS_DENIED', `Function '${name.slice(0, 100)}' is not available through this read-only interface`);
}

/** A name on the right of IN is a table too, and a bare name handed to a function may be that of another function. */
function checkName(name: string, { functions }: TreeRules): void {
  // The engine's `default` database shows the files of this machine as tables.
  if (name === 'default' || name.startsWith('default.')) throw refusal('ACCESS_DENIED', "Database 'default' is not served here");
  const table = /^system\.([^.]+)/.exec(name)?.[1];
  if (table !== undefined && !systemTables.has(table)) {
    throw refusal('ACCESS_DENIED', `Table 'system.${table.slice(0, 100)}' is not served here`);
  }
  if (functions.refuses(name)) {
    throw refusal(
      'ACCESS_DENIED',
      `'${name.slice(0, 100)}' is the name of a function that is not available here; a column of that name is reached by its table's name, as in t.${name.slice(0, 100)}`,
    );
  }
}
