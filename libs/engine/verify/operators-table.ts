import { executorNames, type ExecutorName } from '../executors/names.js';
import type { Discovered } from '../executors/discover.js';
import { sampleTolerance, type SampleResult } from './verify-executor.js';

export type Verified = { readonly name: ExecutorName } & (
  | { readonly results: readonly SampleResult[] }
  /** Why it is not there. */
  | { readonly absent: string }
);

/** What one executor makes of one op, over all its uses. */
export interface Cell {
  readonly ok: boolean;
  readonly uses: number;
  /** The largest, relative. */
  readonly error: number;
  /** Of the worst use that failed. */
  readonly problem?: string;
}

export interface OperatorsTable {
  readonly executors: readonly { readonly name: ExecutorName; readonly absent?: string; readonly failed: number }[];
  readonly rows: readonly { readonly op: string; readonly cells: Readonly<Record<string, Cell>> }[];
  readonly tolerance: number;
  readonly ok: boolean;
}

/** Op × executor: pass, or the largest error, or not there and why. */
export function operatorsTable(verified: readonly Verified[]): OperatorsTable {
  const results = verified.flatMap((one) => ('results' in one ? [one] : []));
  const ops = [...new Set(results.flatMap((one) => one.results.map(({ op }) => op)))].sort();
  const rows = ops.map((op) => ({
    op,
    cells: Object.fromEntries(results.map((one) => [one.name, cellOf(one.results.filter((result) => result.op === op))])),
  }));
  const executors = executorNames.flatMap((name) => {
    const one = verified.find((found) => found.name === name);
    if (one === undefined) return [];
    const failed = rows.filter(({ cells }) => cells[name]?.ok === false).length;
    return [{ name, failed, ...('absent' in one && { absent: one.absent }) }];
  });
  return { executors, rows, tolerance: sampleTolerance, ok: executors.every(({ failed }) => failed === 0) };
}

function cellOf(uses: readonly SampleResult[]): Cell {
  const worst = uses.reduce((a, b) => (b.error > a.error ? b : a));
  const { problem } = worst;
  return {
    ok: problem === undefined,
    uses: uses.length,
    error: worst.error,
    ...(problem && { problem: `${worst.case}: ${problem}` }),
  };
}

export const absentee = (found: Discovered): Verified | undefined =>
  found.startable ? undefined : { name: found.name, absent: found.reason };
