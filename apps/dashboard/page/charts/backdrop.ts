import type uPlot from 'uplot';
import type { StageSpan } from '../stages.js';
import { withAlpha, type Palette } from '../theme.js';

const bandAlpha = 0.13;
const onsetAlpha = 0.28;
const stripHeight = 3;
const hatchGap = 7;

/** Stage bands behind a chart: full from where a stage was declared, hatched back to where it had begun. */
export function drawBands(u: uPlot, spans: readonly StageSpan[], palette: Palette): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  clip(u);
  for (const span of spans) {
    const left = at(u, span.start);
    const right = span.end === Infinity ? bbox.left + bbox.width : at(u, span.end);
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    const colour = palette.stage(span.stage);
    ctx.fillStyle = withAlpha(colour, bandAlpha);
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    if (span.onset < span.start) hatch(u, at(u, span.onset), left, withAlpha(colour, onsetAlpha), ratio);
  }
  ctx.restore();
}

/** The same stages in full colour along the top edge, above the grid. */
export function drawStrip(u: uPlot, spans: readonly StageSpan[], palette: Palette): void {
  const { ctx, bbox } = u;
  ctx.save();
  clip(u);
  for (const span of spans) {
    const left = at(u, span.start);
    const right = span.end === Infinity ? bbox.left + bbox.width : at(u, span.end);
    ctx.fillStyle = palette.stage(span.stage);
    ctx.fillRect(left, bbox.top, right - left, stripHeight * devicePixelRatio);
  }
  ctx.restore();
}

function hatch(u: uPlot, left: number, right: number, colour: string, ratio: number): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = ratio;
  ctx.setLineDash([]);
  ctx.beginPath();
  const from = Math.max(left, bbox.left) - bbox.height;
  const to = Math.min(right, bbox.left + bbox.width);
  for (let x = from - (from % (hatchGap * ratio)); x < to; x += hatchGap * ratio) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}

/**
 * The stretch in which the true value lies, between two columns of the chart. One corner a pixel on each side: the widest
 * of the points that share it.
 */
export function drawInterval(u: uPlot, lowColumn: number, highColumn: number, colour: string): void {
  const { ctx } = u;
  const steps = u.data[0];
  const low = u.data[lowColumn]!;
  const high = u.data[highColumn]!;
  const { min = 0, max = 0 } = u.scales['x'] ?? {};
  let corners: { readonly x: number; top: number; bottom: number }[] = [];
  const close = (): void => {
    if (corners.length > 1) {
      ctx.beginPath();
      for (const { x, top } of corners) ctx.lineTo(x, top);
      for (const { x, bottom } of corners.toReversed()) ctx.lineTo(x, bottom);
      ctx.fill();
    }
    corners = [];
  };
  ctx.save();
  clip(u);
  ctx.fillStyle = colour;
  // One point beyond each edge, so that the area reaches it.
  const last = Math.min(steps.length - 1, u.valToIdx(max) + 1);
  for (let i = Math.max(0, u.valToIdx(min) - 1); i <= last; i++) {
    if (low[i] === null) close();
    if (typeof low[i] !== 'number' || typeof high[i] !== 'number') continue;
    const x = Math.round(at(u, steps[i]!));
    const top = u.valToPos(high[i]!, 'y', true);
    const bottom = u.valToPos(low[i]!, 'y', true);
    const corner = corners.at(-1);
    if (corner?.x !== x) corners.push({ x, top, bottom });
    else {
      corner.top = Math.min(corner.top, top);
      corner.bottom = Math.max(corner.bottom, bottom);
    }
  }
  close();
  ctx.restore();
}

/** A level that means something, with its name. */
export function drawReference(u: uPlot, value: number, label: string, palette: Palette): void {
  const { ctx, bbox } = u;
  const y = Math.round(u.valToPos(value, 'y', true)) + 0.5;
  if (!(y >= bbox.top && y <= bbox.top + bbox.height)) return;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = palette.threshold;
  ctx.setLineDash([5 * ratio, 4 * ratio]);
  ctx.lineWidth = 1.25 * ratio;
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.fillStyle = palette.threshold;
  ctx.font = `${11 * ratio}px ui-sans-serif, system-ui, sans-serif`;
  ctx.textAlign = 'right';
  ctx.textBaseline = 'bottom';
  ctx.fillText(label, bbox.left + bbox.width - 4 * ratio, y - 2 * ratio);
  ctx.restore();
}

export function at(u: uPlot, step: number): number {
  return u.valToPos(step, 'x', true);
}

export function clip(u: uPlot): void {
  const { ctx, bbox } = u;
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
}
