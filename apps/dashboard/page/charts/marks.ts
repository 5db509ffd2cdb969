import type uPlot from 'uplot';
import type { FindingBody } from '#dashboard/events/http.js';
import type { Palette } from '../theme.js';
import { withAlpha } from '../theme.js';
import type { BrokenPoint, Stray } from './columns.js';
import { at, clip } from './backdrop.js';
import { smallest } from '#math/extremes.js';

const markSize = 4;
const hitRadius = 7;

export function findingColour(finding: FindingBody, palette: Palette): string {
  if (finding.kind === 'stage' && finding.to !== undefined) return palette.stage(finding.to);
  if (finding.severity === 'critical') return palette.critical;
  return finding.severity === 'warning' ? palette.warning : palette.muted;
}

/** A line and a diamond where something was found. */
export function drawFindings(u: uPlot, findings: readonly FindingBody[], chosen: string | undefined, palette: Palette): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  for (const finding of findings) {
    const x = Math.round(at(u, finding.step)) + 0.5;
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    const colour = findingColour(finding, palette);
    const strong = finding.id === chosen;
    ctx.strokeStyle = withAlpha(colour, strong ? 1 : 0.65);
    ctx.lineWidth = (strong ? 2 : 1) * ratio;
    ctx.setLineDash(strong ? [] : [2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    diamond(ctx, x, bbox.top, (strong ? markSize + 1.5 : markSize) * ratio, colour, palette.surface, ratio);
  }
  ctx.restore();
}

/** Where a further attempt took over. */
export function drawAttempts(u: uPlot, starts: ReadonlyMap<number, number>, palette: Palette): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const first = smallest(starts.keys());
  ctx.save();
  ctx.strokeStyle = palette.muted;
  ctx.fillStyle = palette.muted;
  ctx.lineWidth = ratio;
  ctx.font = `${10 * ratio}px ui-sans-serif, system-ui, sans-serif`;
  ctx.textBaseline = 'bottom';
  ctx.textAlign = 'left';
  for (const [attempt, start] of starts) {
    if (attempt === first) continue;
    const x = Math.round(at(u, start)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.setLineDash([6 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(`attempt ${attempt}`, x + 4 * ratio, bbox.top + bbox.height - 3 * ratio);
  }
  ctx.restore();
}

/** Points that have no place on the scale: NaN and +∞ at the top edge, −∞ at the bottom. One mark a pixel is enough. */
export function drawBroken(u: uPlot, broken: readonly BrokenPoint[], palette: Palette): void {
  if (broken.length === 0) return;
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const size = 4.5 * ratio;
  const drawn = new Set<number>();
  ctx.save();
  for (const { step, value } of broken) {
    const x = Math.round(at(u, step));
    const bottom = value === -Infinity;
    const cell = (Math.round(x / (2 * size)) << 1) | (bottom ? 1 : 0);
    if (x < bbox.left || x > bbox.left + bbox.width || drawn.has(cell)) continue;
    drawn.add(cell);
    const tip = bottom ? bbox.top + bbox.height - 1 : bbox.top + 1;
    const base = bottom ? tip - 1.6 * size : tip + 1.6 * size;
    ctx.fillStyle = palette.critical;
    ctx.beginPath();
    ctx.moveTo(x, tip);
    ctx.lineTo(x - size, base);
    ctx.lineTo(x + size, base);
    ctx.closePath();
    if (Number.isNaN(value)) {
      ctx.strokeStyle = palette.critical;
      ctx.lineWidth = 1.5 * ratio;
      ctx.stroke();
    } else ctx.fill();
  }
  ctx.restore();
}

/** What an attempt did after the point from which training later went on: faint. */
export function drawStrays(u: uPlot, strays: readonly Stray[], colours: readonly string[]): void {
  const { ctx } = u;
  ctx.save();
  clip(u);
  ctx.lineWidth = devicePixelRatio;
  for (const { trace, steps, values } of strays) {
    ctx.strokeStyle = withAlpha(colours[trace]!, 0.35);
    ctx.beginPath();
    let broken = true;
    for (let i = 0; i < steps.length; i++) {
      const y = Number.isFinite(values[i]) ? u.valToPos(values[i]!, 'y', true) : Number.NaN;
      if (!Number.isFinite(y)) {
        broken = true;
        continue;
      }
      if (broken) ctx.moveTo(at(u, steps[i]!), y);
      else ctx.lineTo(at(u, steps[i]!), y);
      broken = false;
    }
    ctx.stroke();
  }
  ctx.restore();
}

/** The findings whose mark lies under the pointer, in CSS pixels from the left of the plot. */
export function findingsAt(u: uPlot, left: number, findings: readonly FindingBody[]): FindingBody[] {
  return findings.filter((finding) => Math.abs(u.valToPos(finding.step, 'x') - left) <= hitRadius);
}

function diamond(
  ctx: CanvasRenderingContext2D,
  x: number,
  y: number,
  r: number,
  colour: string,
  edge: string,
  ratio: number,
): void {
  ctx.beginPath();
  ctx.moveTo(x, y - r);
  ctx.lineTo(x + r, y);
  ctx.lineTo(x, y + r);
  ctx.lineTo(x - r, y);
  ctx.closePath();
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.strokeStyle = edge;
  ctx.lineWidth = ratio;
  ctx.stroke();
}
