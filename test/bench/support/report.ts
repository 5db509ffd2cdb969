import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';
import { watchStolen } from './stolen.js';

/** One line of a bench: what was measured, against what was asked, against the ceiling measured in the same run. */
export interface BenchRow {
  readonly what: string;
  readonly unit: string;
  readonly value: number;
  /** The figure asked for: `>= 50000` or `<= 1`. */
  readonly asked?: string;
  readonly ceiling?: { readonly what: string; readonly value: number };
}

const stolen = watchStolen();

export function report(name: string, measured: readonly BenchRow[]): void {
  // A figure of a machine whose processors were given to others says little.
  const rows = [...measured, { what: 'taken by the host of this machine meanwhile', unit: '% of its CPU', value: stolen() }];
  const shown = rows.map(({ what, unit, value, asked, ceiling }: BenchRow) => ({
    what,
    value: rounded(value),
    unit,
    asked: asked ?? '',
    beside: ceiling === undefined ? '' : `${ceiling.what}: ${rounded(ceiling.value)}`,
    ratio: ceiling === undefined ? '' : (value / ceiling.value).toFixed(2),
  }));
  console.table(shown);
  const folder = join(packageRoot, 'test/bench/out');
  mkdirSync(folder, { recursive: true });
  const machine = { node: process.version, cores: cpus().length, model: cpus()[0]?.model ?? '' };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ name, machine, rows }, undefined, 2)}\n`);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
