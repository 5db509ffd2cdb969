/** A part of a table: rows of consecutive inserts, whose numbers stay its name through every merge and mutation. */
export interface Part {
  readonly table: string;
  readonly name: string;
  readonly rows: number;
}

/** A part that the engine set aside. */
export interface DetachedPart {
  readonly table: string;
  /** Of its folder below `detached`. */
  readonly name: string;
  readonly rows: number | undefined;
}

interface Range {
  readonly partition: string;
  readonly from: number;
  readonly to: number;
}

/** `partition_from_to_level[_mutation]`. */
const pattern = /^([^_]+)_(\d+)_(\d+)_\d+(?:_\d+)?$/;

function rangeOf(name: string): Range | undefined {
  const match = pattern.exec(withoutReason(name));
  return match === null ? undefined : { partition: match[1]!, from: Number(match[2]), to: Number(match[3]) };
}

/** Why the engine sets parts aside by itself; what a person detached has no reason, and what a broken part covers is in it. */
const reasons = ['broken-on-start', 'broken', 'unexpected'];

function isDamage(part: DetachedPart): boolean {
  return reasons.some((reason) => part.name.startsWith(`${reason}_`));
}

function withoutReason(name: string): string {
  const reason = reasons.find((candidate) => name.startsWith(`${candidate}_`));
  return (reason === undefined ? name : name.slice(reason.length + 1)).replace(/_try\d+$/, '');
}

/** Whether the rows of one part would be in the other, were it whole. */
function covers(outer: string, inner: string): boolean {
  const [a, b] = [rangeOf(outer), rangeOf(inner)];
  return a !== undefined && b !== undefined && a.partition === b.partition && a.from <= b.from && a.to >= b.to;
}

export interface Damage {
  readonly table: string;
  readonly part: string;
  readonly what: 'broken' | 'missing';
  /** Undefined when nobody knows any more. */
  readonly rows: number | undefined;
}

/** What was there and is not served any more. Parts that were merged into another one are in it. */
export function findDamage(
  remembered: readonly Part[],
  active: readonly Part[],
  detached: readonly DetachedPart[],
): readonly Damage[] {
  const isIn = (list: readonly { table: string; name: string }[], part: Part): boolean =>
    list.some((other) => other.table === part.table && covers(other.name, part.name));
  const broken = detached.filter(isDamage);
  const lost = remembered.filter((part) => !isIn(active, part));
  return [
    ...broken.map((part): Damage => {
      const known = lost.filter((other) => other.table === part.table && covers(part.name, other.name));
      const rows = known.length === 0 ? part.rows : known.reduce((sum, other) => sum + other.rows, 0);
      return { table: part.table, part: part.name, what: 'broken', rows };
    }),
    ...lost
      .filter((part) => !isIn(broken, part))
      .map((part): Damage => ({ table: part.table, part: part.name, what: 'missing', rows: part.rows })),
  ];
}

export function describeDamage({ table, part, what, rows }: Damage): string {
  const many = rows === undefined ? 'an unknown number of rows' : `${rows} rows`;
  const kept = what === 'broken' ? 'is broken and was set aside' : 'is gone';
  return `table ${table}: part ${part} with ${many} ${kept}`;
}
