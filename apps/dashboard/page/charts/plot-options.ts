import uPlot from 'uplot';
import { formatStep } from '../format.js';
import type { Line } from '../model/line.js';
import { withAlpha } from '../theme.js';
import { stepSplits, yAxisValues, yRange } from './axes.js';
import { drawBands, drawInterval } from './backdrop.js';
import type { Board } from './board.js';
import type { SeriesSpec } from './spec.js';

export interface DrawnTrace {
  readonly line: Line;
  readonly spec: SeriesSpec;
  readonly colour: string;
}

interface PlotParts {
  readonly board: Board;
  readonly traces: readonly DrawnTrace[];
  readonly logarithmic: boolean;
  /** A level that stays in sight. */
  readonly reference: number | undefined;
  readonly width: number;
  readonly height: number;
  readonly draw: (u: uPlot) => void;
  readonly select: (u: uPlot) => void;
  readonly cursor: (u: uPlot) => void;
}

/** uPlot names these only in its types. */
const distribution = { linear: 1, logarithmic: 3, own: 100 } as unknown as Readonly<
  Record<'linear' | 'logarithmic' | 'own', uPlot.Scale.Distr>
>;

/** From each point level to the next one, and from the last on to the edge. */
const held = uPlot.paths.stepped!({ align: 1, extend: true });

/** How uPlot draws one chart: its lines, scales and axes, and what lies behind and before them. */
export function plotOptions(plot: PlotParts): uPlot.Options {
  const { board, traces, logarithmic, reference, width, height } = plot;
  const { palette } = board;
  const series: uPlot.Series[] = [{}];
  const intervals: { readonly column: number; readonly colour: string }[] = [];
  for (const { spec: one, colour } of traces) {
    series.push({
      stroke: colour,
      width: 1.5,
      ...(one.dashed === true && { dash: [5, 4] }),
      ...(one.stepped === true && { paths: held }),
      points: { size: 4, width: 1, fill: colour, ...(one.dashed === true && { show: false }) },
    });
    if (one.bounds !== true) continue;
    // Both edges take part in the scale and are drawn as an area. uPlot keeps its own state in these objects.
    const unseen = (): uPlot.Series => ({ paths: () => null, points: { show: false } });
    intervals.push({ column: series.length, colour: withAlpha(colour, 0.28) });
    series.push(unseen(), unseen());
  }
  const unseenColumns = new Set(intervals.flatMap(({ column }) => [column, column + 1]));
  const axis: uPlot.Axis = {
    stroke: palette.axis,
    font: '11px ui-sans-serif, system-ui, sans-serif',
    grid: { stroke: palette.grid, width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    padding: [10, 18, 0, 0],
    legend: { show: false },
    series,
    scales: {
      x: {
        time: false,
        range: () => [board.view.min, board.view.max],
        ...(board.logSteps && {
          distr: distribution.own,
          fwd: (step: number) => Math.log10(Math.max(0, step) + 1),
          bwd: (x: number) => 10 ** x - 1,
        }),
      },
      y: {
        distr: logarithmic ? distribution.logarithmic : distribution.linear,
        range: yRange(logarithmic, reference),
      },
    },
    axes: [
      {
        ...axis,
        size: 26,
        gap: 4,
        values: (_, splits) => splits.map(formatStep),
        ...(board.logSteps && { splits: stepSplits, filter: (_, splits) => splits }),
      },
      { ...axis, size: 56, gap: 6, values: yAxisValues(logarithmic) },
    ],
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { size: (_, column) => (unseenColumns.has(column) ? 0 : 7), width: 1.5 },
      bind: { dblclick: () => () => (board.resetZoom(), null) },
      sync: { key: board.syncKey, scales: ['x', null], filters: { pub: isMove, sub: isMove } },
    },
    hooks: {
      drawClear: [
        (u) => drawBands(u, board.spans, palette),
        (u) => intervals.forEach(({ column, colour }) => drawInterval(u, column, column + 1, colour)),
      ],
      draw: [plot.draw],
      setSelect: [plot.select],
      setCursor: [plot.cursor],
    },
  };
}

/** Charts share the place of the cursor; each zooms through the board. */
function isMove(type: string): boolean {
  return type === 'mousemove' || type === 'mouseleave';
}
