import type { OperatorsTable } from '#analyzer/machine.js';
import { table } from './table.js';

/** Op × executor, with the largest relative error of each, and what is wrong below. */
export function operatorsText({ executors, rows, tolerance }: OperatorsTable): string {
  const there = executors.filter(({ absent }) => absent === undefined);
  const header = ['', 'op', ...there.map(({ name }) => name)];
  const lines = rows.map(({ op, cells }) => [
    '',
    op,
    ...there.map(({ name }) => {
      const cell = cells[name];
      if (cell === undefined) return '';
      return `${cell.ok ? 'pass' : 'FAIL'} ${Number.isFinite(cell.error) ? cell.error.toExponential(0) : ''}`.trim();
    }),
  ]);
  const problems = rows.flatMap(({ op, cells }) =>
    Object.entries(cells).flatMap(([name, { problem }]) => (problem === undefined ? [] : [`  ${name}, ${op}, ${problem}`])),
  );
  const absent = executors.flatMap(({ name, absent: why }) => (why === undefined ? [] : [`  ${name}: ${why}`]));
  return [
    `Operators (largest relative error of value, gradient and second derivative; at most ${tolerance})\n${table([header, ...lines])}`,
    ...(problems.length > 0 ? [`\nWrong:\n${problems.join('\n')}\n`] : []),
    ...(absent.length > 0 ? [`\nNot here:\n${absent.join('\n')}\n`] : []),
  ].join('');
}
