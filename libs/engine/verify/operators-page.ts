import { compositionReaders } from '#graph/onnx/operators/readers.js';
import { isDifferentiable, type OpDefinition } from '#graph/op.js';
import { passThroughReaders } from '#graph/ops/pass-through.js';
import { registry } from '#graph/ops/registry.js';
import { executorNames } from '../executors/names.js';
import { sampleTolerance } from './verify-executor.js';
import type { OperatorsTable } from './operators-table.js';

const compared = executorNames.filter((name) => name !== 'reference');

/** What a row says on every machine. */
export function operatorColumns(op: OpDefinition): readonly string[] {
  const operators = Object.keys(op.onnx.read).sort();
  const derivative = isDifferentiable(op.derivative) ? 'yes' : `none: ${op.derivative.piecewiseConstant}`;
  return [op.name, operators.join(', ') || '–', derivative.replaceAll('|', '\\|')];
}

const sortedOps = (): readonly OpDefinition[] => [...registry.values()].sort((a, b) => (a.name < b.name ? -1 : 1));

/** `docs/operators.md`, from what `doctor --verify` found on one machine, which is described by `machine`. */
export function operatorsPage(table: OperatorsTable, machine: string): string {
  const rows = new Map(table.rows.map(({ op, cells }) => [op, cells]));
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const absent = table.executors.filter((executor) => executor.absent !== undefined);
  const cell = (op: string, name: string): string => {
    const found = rows.get(op)?.[name];
    if (found === undefined) return '–';
    return found.ok ? 'pass' : `**${found.problem}**`;
  };
  const header = ['op', 'read from ONNX', 'derivative', ...compared];
  return [
    '# Operators and executors',
    '',
    'Made by `npm run generate:operators`, not by hand. Each op is used in several ways; value, gradient and second derivative',
    `(forward over reverse) of each use are compared with the reference in double precision and may differ by ${sampleTolerance} of the`,
    'largest number. `stagewatch doctor --verify` makes the same comparison on your machine.',
    '',
    line(header),
    line(header.map(() => '---')),
    ...sortedOps().map((op) => line([...operatorColumns(op), ...compared.map((name) => cell(op.name, name))])),
    '',
    '## Read as compositions of these ops',
    '',
    compositions().join(', '),
    '',
    '## The machine that the columns were made on',
    '',
    machine,
    '',
    ...(absent.length > 0 ? ['Not there:', '', ...absent.map(({ name, absent: why }) => `- \`${name}\`: ${why}`), ''] : []),
  ].join('\n');
}

export const compositions = (): readonly string[] =>
  [...Object.keys(compositionReaders), ...Object.keys(passThroughReaders)].sort();
