import { refusal } from './refusal.js';

/** One line of `EXPLAIN AST`: the indentation is the depth. */
interface Node {
  readonly depth: number;
  readonly text: string;
}

/** Table functions that make rows out of nothing or out of a subquery; all others reach outside. */
export const harmlessTableFunctions: ReadonlySet<string> = new Set(
  'numbers numbers_mt zeros zeros_mt generateseries generate_series generaterandom primes values view null format'.split(' '),
);

/** Functions that read files or dictionaries, ask the network, or look into the process. */
const refusedFunctions =
  /^(file|joinget.*|dict.*|reversednsquery|catboostevaluate|addressto.*|demangle|ai[a-z]+|hascolumnintable|evalmlmethod|getserversetting|getserverport|getmacro)$/;

const statements =
  /^(SelectWithUnionQuery|SelectQuery|SelectIntersectExceptQuery|ShowTables|ShowColumns|ShowIndexes|ShowSetting|ShowFunctions|ShowEngineQuery|ShowCreate\w*Query|Exists\w*Query|DescribeQuery|DescribeTableQuery)\b/;

/** Tables of `system` that clients look at; the rest tells of other people's queries and of the machine. */
const systemTables: ReadonlySet<string> = new Set(
  (
    'one numbers numbers_mt zeros zeros_mt primes settings merge_tree_settings settings_profiles tables columns databases ' +
    'functions table_functions aggregate_function_combinators formats table_engines data_type_families keywords collations ' +
    'codecs completions documentation build_options licenses contributors time_zones data_skipping_indices parts ' +
    'parts_columns macros dictionaries clusters roles'
  ).split(' '),
);

export interface TreeRules {
  /** All table functions of the engine, lower case. */
  readonly tableFunctions: ReadonlySet<string>;
  readonly databases: ReadonlySet<string>;
  /** Where an unqualified table lies. */
  readonly database: string;
}

/** Throws when the tree is of a statement that does more than read the tables it may read. */
export function checkTree(tree: string, rules: TreeRules): void {
  const nodes = tree
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(toNode);
  checkStatement(nodes);
  for (const [i, node] of nodes.entries()) {
    const fn = /^Function (\S+)/.exec(node.text)?.[1]?.toLowerCase();
    if (fn !== undefined) {
      const above = nodes[i - 1];
      const isTable = above !== undefined && above.depth === node.depth - 1 && above.text.startsWith('TableExpression');
      const reaches = isTable || rules.tableFunctions.has(fn);
      if ((reaches && !harmlessTableFunctions.has(fn)) || refusedFunctions.test(fn)) {
        throw refusal('ACCESS_DENIED', `Function '${fn.slice(0, 100)}' is not available through this read-only interface`);
      }
    }
    const table = /^TableIdentifier (.*?)(?: \(alias .*\))?$/s.exec(node.text)?.[1];
    if (table !== undefined) checkTable(table, rules);
    // A name on the right of IN is a table too, though the tree calls it an identifier.
    const name = /^Identifier (.*?)(?: \(alias .*\))?$/s.exec(node.text)?.[1];
    if (name !== undefined) checkName(name);
  }
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
    : statements.test(top);
  if (!isRead) throw refusal('READONLY', 'Only SELECT, SHOW, DESCRIBE, EXISTS and EXPLAIN SELECT are answered here');
}

function checkTable(table: string, rules: TreeRules): void {
  const dot = table.indexOf('.');
  const [database, name] = dot < 0 ? [rules.database, table] : [table.slice(0, dot), table.slice(dot + 1)];
  if (!rules.databases.has(database)) throw refusal('ACCESS_DENIED', `Database '${database.slice(0, 100)}' is not served here`);
  // An unqualified name may also be that of a common table expression.
  if (database === 'system' && dot >= 0 && !systemTables.has(name)) {
    throw refusal('ACCESS_DENIED', `Table 'system.${name.slice(0, 100)}' is not served here`);
  }
  if (database === 'system' && dot < 0 && !systemTables.has(name) && rules.database === 'system') {
    throw refusal('ACCESS_DENIED', `Table 'system.${name.slice(0, 100)}' is not served here`);
  }
}

/** The engine's `default` database shows the files of this machine as tables. */
function checkName(name: string): void {
  if (name === 'default' || name.startsWith('default.')) throw refusal('ACCESS_DENIED', "Database 'default' is not served here");
  const table = /^system\.([^.]+)/.exec(name)?.[1];
  if (table !== undefined && !systemTables.has(table)) {
    throw refusal('ACCESS_DENIED', `Table 'system.${table.slice(0, 100)}' is not served here`);
  }
}
